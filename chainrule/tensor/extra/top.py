"""The functions of `numbers` and `counting` as `torch` has them: with `out=`."""

from chainrule.tensor.calling import public as _public
from chainrule.tensor.extra import counting as _counting
from chainrule.tensor.extra import numbers as _numbers
from chainrule.tensor.extra import rare as _rare

i0, igamma, igammac = _public(_numbers.i0), _public(_numbers.igamma), _public(_numbers.igammac)
nextafter, frexp = _public(_numbers.nextafter), _public(_numbers.frexp)
fill, constant_pad_nd = _public(_numbers.fill), _public(_numbers.constant_pad_nd)
histogram, histogramdd = _public(_counting.histogram), _public(_counting.histogramdd)
nonzero_static = _public(_counting.nonzero_static)
gradient, resize_as_ = _counting.gradient, _numbers.resize_as_
gcd, lcm = _public(_rare.gcd), _public(_rare.lcm)
