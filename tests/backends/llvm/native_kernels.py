"""Kernels written by hand in LLVM IR, for tests of what runs them."""

from chainrule.backends.llvm.code import Function, Source, functions

_HEAD = """
define void @{name}(ptr %addresses, ptr %args, ptr %work, i64 %lo, i64 %hi) nounwind {{
entry:
{slots}
  br label %loop
loop:
  %i = phi i64 [%lo, %entry], [%i1, {last}]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %body, label %end
body:
{body}
  %i1 = add i64 %i, 1
  br label %loop
end:
  ret void
}}
"""


def kernel(name: str, buffers: str, numbers: str, body: str, last: str = "%body") -> Source:
    """A loop over %lo … %hi; letters of `buffers` become pointers, those of `numbers` integers."""
    slots = []
    for word, letter in enumerate(buffers + numbers):
        slots.append(f"  %{letter}_at = getelementptr i64, ptr %args, i64 {word}")
        if letter in buffers:
            slots.append(f"  %{letter}_slot = load i64, ptr %{letter}_at")
            slots.append(
                f"  %{letter}_entry = getelementptr i64, ptr %addresses, i64 %{letter}_slot"
            )
            slots.append(f"  %{letter} = load ptr, ptr %{letter}_entry")
        else:
            slots.append(f"  %{letter} = load i64, ptr %{letter}_at")
    return Source(name, _HEAD.format(name=name, slots="\n".join(slots), body=body, last=last))


#: y[i] += 2 x[i], one element in an iteration.
SAXPY = kernel(
    "saxpy",
    "xy",
    "",
    """  %px = getelementptr float, ptr %x, i64 %i
  %py = getelementptr float, ptr %y, i64 %i
  %vx = load float, ptr %px
  %vy = load float, ptr %py
  %two = fmul float %vx, 2.0
  %sum = fadd float %two, %vy
  store float %sum, ptr %py""",
)

#: r[i] = Σⱼ x[i, j] over j < n, one row in an iteration, in order.
ROW_SUMS = kernel(
    "row_sums",
    "xr",
    "n",
    """  br label %row
row:
  %j = phi i64 [0, %body], [%j1, %row]
  %acc = phi float [0.0, %body], [%acc1, %row]
  %base = mul i64 %i, %n
  %at = add i64 %base, %j
  %p = getelementptr float, ptr %x, i64 %at
  %v = load float, ptr %p
  %acc1 = fadd float %acc, %v
  %j1 = add i64 %j, 1
  %again = icmp slt i64 %j1, %n
  br i1 %again, label %row, label %store
store:
  %pr = getelementptr float, ptr %r, i64 %i
  store float %acc1, ptr %pr""",
    last="%store",
)

#: y[i] = x[index[i]] for 0 ≤ index[i] < n; otherwise status 7, with i and index[i].
GATHER = kernel(
    "gather",
    "kxys",
    "n",
    """  %pk = getelementptr i64, ptr %k, i64 %i
  %index = load i64, ptr %pk
  %inside = icmp ult i64 %index, %n
  br i1 %inside, label %fine, label %wrong
wrong:
  %s1 = getelementptr i64, ptr %s, i64 1
  %s2 = getelementptr i64, ptr %s, i64 2
  store i64 %i, ptr %s1
  store i64 %index, ptr %s2
  store i64 7, ptr %s
  br label %next
fine:
  %px = getelementptr float, ptr %x, i64 %index
  %v = load float, ptr %px
  %py = getelementptr float, ptr %y, i64 %i
  store float %v, ptr %py
  br label %next
next:""",
    last="%next",
)

#: y[i] = i in the scratch memory, and back from there: for its size and alignment.
THROUGH_WORK = kernel(
    "through_work",
    "y",
    "",
    """  %at = and i64 %i, 63
  %pw = getelementptr i64, ptr %work, i64 %at
  store volatile i64 %i, ptr %pw, align 8
  %v = load volatile i64, ptr %pw, align 8
  %py = getelementptr i64, ptr %y, i64 %i
  store i64 %v, ptr %py""",
)

#: n additions that nobody can leave out, in each iteration; then counts y[i].
BUSY = kernel(
    "busy",
    "y",
    "n",
    """  br label %spin
spin:
  %j = phi i64 [0, %body], [%j1, %spin]
  %a = phi double [1.0, %body], [%a1, %spin]
  %a1 = fadd double %a, 1.0e-9
  %j1 = add i64 %j, 1
  %again = icmp slt i64 %j1, %n
  br i1 %again, label %spin, label %count
count:
  %py = getelementptr i64, ptr %y, i64 %i
  %old = load i64, ptr %py
  %tiny = fcmp olt double %a1, 0.0
  %extra = zext i1 %tiny to i64
  %one = add i64 %old, 1
  %new = add i64 %one, %extra
  store i64 %new, ptr %py""",
    last="%count",
)

#: y[i] = x[n - 1 - i] + 1.
MIRROR = kernel(
    "mirror",
    "xy",
    "n",
    """  %last = sub i64 %n, 1
  %j = sub i64 %last, %i
  %px = getelementptr i64, ptr %x, i64 %j
  %v = load i64, ptr %px
  %v1 = add i64 %v, 1
  %py = getelementptr i64, ptr %y, i64 %i
  store i64 %v1, ptr %py""",
)

#: y[i] = the address of the scratch memory of the thread that ran iteration i.
WHO = kernel(
    "who",
    "y",
    "",
    """  %w = ptrtoint ptr %work to i64
  %py = getelementptr i64, ptr %y, i64 %i
  store i64 %w, ptr %py""",
)


def load(*sources: Source) -> list[Function]:
    return functions(sources)
