"""Training: batches, the loop over epochs, callbacks, progress. Both faces and the command line use
it.
"""

from chainrule.training.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from chainrule.training.data import Batches, as_batches
from chainrule.training.loop import Steps, evaluate, run
from chainrule.training.metrics import RunningMean, correct_fraction
from chainrule.training.progress import Progress

__all__ = [
    "BackupAndRestore",
    "Batches",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Progress",
    "ReduceLROnPlateau",
    "RunningMean",
    "Steps",
    "TerminateOnNaN",
    "as_batches",
    "correct_fraction",
    "evaluate",
    "run",
]
