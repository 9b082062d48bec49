"""Which version of Keras this follows."""

#: The version of Keras whose behaviour this follows, as written into files.
__version__ = "3.15.1"
