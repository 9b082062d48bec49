"""Training: batches, the loop over epochs, callbacks, progress. Both faces and the command line use
it.
"""

from chainrule.training.callback_list import CallbackList
from chainrule.training.callbacks import Callback, History
from chainrule.training.data import Batches, as_batches
from chainrule.training.loop import Steps, evaluate, run
from chainrule.training.metrics import RunningMean, correct_fraction
from chainrule.training.progress import Progbar, ProgbarLogger

__all__ = [
    "Batches",
    "Callback",
    "CallbackList",
    "History",
    "Progbar",
    "ProgbarLogger",
    "RunningMean",
    "Steps",
    "as_batches",
    "correct_fraction",
    "evaluate",
    "run",
]
