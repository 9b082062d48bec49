"""Policies of quantised layers, which do not exist here: tests that name them are collected, and
fail where they make one.
"""

from __future__ import annotations

from keras_suite.quantizers import Absent

AWQDTypePolicy = GPTQDTypePolicy = Int4DTypePolicy = Absent
QuantizedDTypePolicy = QuantizedFloat8DTypePolicy = Absent
