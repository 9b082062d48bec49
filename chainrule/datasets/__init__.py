"""Data sets as NumPy arrays, from the user's folder, the cache or a mirror (see
`chainrule.datasets.fetch`).

    load_digits          8 × 8 grey digits, inside the package: needs nothing
    load_mnist           28 × 28 grey digits
    load_fashion_mnist   28 × 28 grey clothes
    load_cifar10         32 × 32 colour photographs
    load_cifar100        32 × 32 colour photographs in 100 classes
    load_boston_housing, load_california_housing  prices of houses
    load_reuters         newswires as lists of word ranks
    load_imdb            film reviews as lists of word ranks
    load_sonar           sonar echoes, six steps of ten features, two classes
    load_tiny_shakespeare  1.1 million characters of plays
    load_symbolic        digits to sort or to reverse: computed, needs nothing

The two faces wrap them: `chainrule.vision.datasets` as in torchvision, `chainrule.keras.datasets`
as in Keras.
"""

from chainrule.datasets.cifar10 import load_cifar10
from chainrule.datasets.cifar100 import load_cifar100
from chainrule.datasets.digits import load_digits
from chainrule.datasets.fetch import DataFile, DataWarning, cache_root, data_root
from chainrule.datasets.housing import load_boston_housing, load_california_housing
from chainrule.datasets.imdb import load_imdb
from chainrule.datasets.inventory import overview
from chainrule.datasets.mnist import load_fashion_mnist, load_mnist
from chainrule.datasets.reuters import load_reuters
from chainrule.datasets.sequences import load_sonar
from chainrule.datasets.symbolic import load_symbolic
from chainrule.datasets.text import load_tiny_shakespeare

__all__ = [
    "load_digits",
    "load_mnist",
    "load_fashion_mnist",
    "load_cifar10",
    "load_cifar100",
    "load_boston_housing",
    "load_california_housing",
    "load_reuters",
    "load_imdb",
    "load_sonar",
    "load_tiny_shakespeare",
    "load_symbolic",
    "DataFile",
    "DataWarning",
    "data_root",
    "cache_root",
    "overview",
]
