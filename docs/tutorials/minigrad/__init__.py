"""A deep-learning framework in about 400 lines. Its files stand in the order in which a program
passes through them:

node       a computation written down: one op applied to nodes; equal nodes are one object
ops        the vocabulary: one op, one row, with its NumPy, its TeX, its instruction, its gradient
reverse    the chain rule: from a graph to the graph of its gradient
simplify   the same values with less work
program    a graph as a Python function of NumPy calls
loops      elementwise parts as machine code: one loop instead of one array for every op
train      a network, an optimiser, handwritten digits
"""
