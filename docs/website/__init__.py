"""The documentation as pages that need no network: the project's texts, and a page for every op and
every layer, written by the library itself.

    examples     how each layer is made and called
    samples      arguments for ops that tests do not sample, index forms of what moves elements
    sources      where an op and its gradient rule are written
    operations   what a page says of an op: formula, derived gradient, example, curve
    layers       the same for a layer of either face
    plots        curves as SVG        mermaid   drawn graphs of the texts
    prose        Markdown as HTML     shell     what surrounds a page: navigation, search, style
    pages        ops and layers as HTML
    build        all of it into a folder

    cd docs && python -m website ../site
"""
