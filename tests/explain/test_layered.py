"""Boxes in layers: nothing overlaps, edges run downwards, chains and long edges are straight."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.layered import Laid, Size, curve, layered


def overlaps(laid: Laid, sizes) -> list[tuple]:
    boxes = {k: (*laid.places[k], s.width, s.height) for k, s in sizes.items()}
    return [
        (a, b)
        for (a, (x, y, w, h)), (b, (u, v, p, q)) in combinations(boxes.items(), 2)
        if x < u + p - 0.01 and u < x + w - 0.01 and y < v + q - 0.01 and v < y + h - 0.01
    ]


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 14))
    sizes = {
        i: Size(draw(st.integers(10, 120)), draw(st.integers(10, 60)), draw(st.integers(5, 10)))
        for i in range(n)
    }
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges = [(min(e), max(e)) for e in draw(st.lists(pairs, max_size=25)) if e[0] != e[1]]
    return sizes, edges


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_nothing_overlaps_and_edges_run_downwards(graph):
    sizes, edges = graph
    laid = layered(sizes, edges)
    assert not overlaps(laid, sizes)
    for (a, b), line in zip(edges, laid.lines, strict=True):
        ys = [y for _, y in line]
        assert ys == sorted(ys)
        assert abs(line[0][1] - laid.places[a][1] - sizes[a].height) < 0.1
        assert abs(line[-1][1] - laid.places[b][1]) < 0.1
        for k, (x, _) in ((a, line[0]), (b, line[-1])):
            assert laid.places[k][0] - 0.1 <= x <= laid.places[k][0] + sizes[k].width + 0.1
    for k, s in sizes.items():
        x, y = laid.places[k]
        assert x >= -0.01 and x + s.width <= laid.width + 0.01
        assert y >= -0.01 and y + s.height <= laid.height + 0.01


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_long_edges_do_not_run_through_boxes(graph):
    sizes, edges = graph
    laid = layered(sizes, edges)
    for (a, b), line in zip(edges, laid.lines, strict=True):
        for k, s in sizes.items():
            x, y = laid.places[k]
            inside = [
                (u, v)
                for u, v in line
                if x + 1 < u < x + s.width - 1 and y + 1 < v < y + s.height - 1
            ]
            assert k in (a, b) or not inside


def test_a_chain_is_a_straight_line_and_a_short_cut_passes_beside_it():
    sizes = {k: Size(60, 20) for k in "abcd"}
    laid = layered(sizes, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    assert len({laid.places[k][0] for k in "abcd"}) == 1
    assert len(laid.lines[0]) == len(laid.lines[1]) == len(laid.lines[2]) == 2
    xs = [x for x, _ in laid.lines[3]]
    assert max(xs) > laid.places["b"][0] + 60 or min(xs) < laid.places["b"][0]


def test_crossings_are_taken_away():
    sizes = {k: Size(30, 20) for k in "abcdef"}
    laid = layered(sizes, [("a", "f"), ("b", "e"), ("c", "d")])
    x = {k: p[0] for k, p in laid.places.items()}
    assert all(abs(x[a] - x[b]) < 0.01 for a, b in ("af", "be", "cd"))


def test_an_edge_against_the_order_is_drawn_upwards_and_turning_exchanges_the_axes():
    laid = layered({"a": Size(30, 20), "b": Size(30, 20)}, [("a", "b"), ("b", "a")])
    assert laid.lines[0][0][1] < laid.lines[0][-1][1]
    assert laid.lines[1][0][1] > laid.lines[1][-1][1]
    assert laid.turned().places["b"] == laid.places["b"][::-1]
    assert curve([(0, 0), (0, 10), (5, 20)]) == "M0.0 0.0L0.0 10.0C0.0 15.0 5.0 15.0 5.0 20.0"


def test_no_box_and_one_box():
    assert layered({}, [])[:2] == (0.0, 0.0)
    assert layered({"a": Size(30, 20)}, []).places == {"a": (0.0, 0.0)}
