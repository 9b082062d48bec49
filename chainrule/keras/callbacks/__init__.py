"""Callbacks, by the names that Keras programs use."""

from chainrule.keras.callbacks.averages import SwapEMAWeights
from chainrule.keras.callbacks.backup import BackupAndRestore
from chainrule.keras.callbacks.checkpoints import ModelCheckpoint, OrbaxCheckpoint
from chainrule.keras.callbacks.monitor import EarlyStopping, MonitorCallback, ReduceLROnPlateau
from chainrule.keras.callbacks.plain import (
    CSVLogger,
    LambdaCallback,
    LearningRateScheduler,
    RemoteMonitor,
    TerminateOnNaN,
)
from chainrule.keras.callbacks.tensorboard import TensorBoard
from chainrule.training.callback_list import CallbackList
from chainrule.training.callbacks import Callback, History
from chainrule.training.progress import ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
