"""Products and convolutions as blocked loops.

operand   how an operand lies in memory
plan      tile, blocks, order: numbers from shapes
choose    which plan
micro     the innermost loops
pack      copies operands into the order in which they are read
write     the loops around it
epilogue  what becomes of finished sums
lower     a fused graph as steps
"""

from chainrule.schedule.contract.lower import accepts, lower_contraction
