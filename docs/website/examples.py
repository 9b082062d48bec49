"""How each layer is made and what it is called with: rows of `layer <- inputs`.

Inputs are separated by `;` and called x unless they say otherwise. If one is a list, a tuple or a
dictionary without a name, it is what the layer is called with, and the others are its parts.
`randn(2, 4)` is `torch.randn(2, 4)`. After `|` stand further arguments of the call. A row may go on
on lines that begin with spaces.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Example(NamedTuple):
    """`layer = MAKE`, inputs by name (none: the argument itself), `y = layer(inputs, more)`."""

    make: str
    inputs: tuple[tuple[str, str], ...]
    more: str = ""


_MODULES = """
AdaptiveAvgPool1d(4) <- randn(1, 2, 8)
AdaptiveAvgPool2d(2) <- randn(1, 2, 4, 4)
AdaptiveAvgPool3d(2) <- randn(1, 1, 4, 4, 4)
AdaptiveLogSoftmaxWithLoss(4, 6, cutoffs=[2, 4]) <- randn(3, 4); t = tensor([0, 3, 5])
AdaptiveMaxPool1d(4) <- randn(1, 2, 8)
AdaptiveMaxPool2d(2) <- randn(1, 2, 4, 4)
AdaptiveMaxPool3d(2) <- randn(1, 1, 4, 4, 4)
AlphaDropout(0.5) <- randn(2, 4)
AvgPool1d(2) <- randn(1, 2, 8)
AvgPool2d(2) <- randn(1, 2, 4, 4)
AvgPool3d(2) <- randn(1, 1, 4, 4, 4)
BCELoss() <- rand(2, 3); t = tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
BCEWithLogitsLoss() <- randn(2, 3); t = tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
BatchNorm1d(3) <- randn(4, 3)
BatchNorm2d(2) <- randn(2, 2, 3, 3)
BatchNorm3d(2) <- randn(2, 2, 2, 2, 2)
Bilinear(3, 4, 2) <- randn(2, 3); x2 = randn(2, 4)
CTCLoss() <- x = randn(4, 1, 3).log_softmax(2); t = tensor([[1, 2]]); n = tensor([4]);
    m = tensor([2])
ChannelShuffle(2) <- randn(1, 4, 2, 2)
CircularPad1d(1) <- randn(1, 2, 4)
CircularPad2d(1) <- randn(1, 1, 3, 3)
CircularPad3d(1) <- randn(1, 1, 2, 2, 2)
ConstantPad1d(1, 0.5) <- randn(1, 2, 4)
ConstantPad2d(1, 0.5) <- randn(1, 1, 3, 3)
ConstantPad3d(1, 0.5) <- randn(1, 1, 2, 2, 2)
Conv1d(2, 3, 3) <- randn(1, 2, 8)
Conv2d(1, 2, 3) <- randn(1, 1, 5, 5)
Conv3d(1, 2, 2) <- randn(1, 1, 3, 3, 3)
ConvTranspose1d(2, 3, 3) <- randn(1, 2, 4)
ConvTranspose2d(1, 2, 3) <- randn(1, 1, 3, 3)
ConvTranspose3d(1, 2, 2) <- randn(1, 1, 2, 2, 2)
CosineEmbeddingLoss() <- randn(2, 3); x2 = randn(2, 3); t = tensor([1, -1])
CosineSimilarity() <- randn(2, 3); x2 = randn(2, 3)
CrossEntropyLoss() <- randn(3, 4); t = tensor([2, 0, 3])
CrossMapLRN2d(3) <- randn(1, 4, 2, 2)
DataParallel(nn.Linear(3, 2)) <- randn(2, 3)
Embedding(5, 3) <- tensor([0, 3, 3])
EmbeddingBag(5, 3) <- tensor([[0, 3], [3, 1]])
FeatureAlphaDropout(0.5) <- randn(1, 4, 3)
Flatten() <- randn(2, 2, 3)
Fold((3, 3), (2, 2)) <- randn(1, 4, 4)
FractionalMaxPool2d(2, output_size=2) <- randn(1, 1, 5, 5)
FractionalMaxPool3d(2, output_size=2) <- randn(1, 1, 5, 5, 5)
GRU(3, 2) <- randn(4, 1, 3)
GRUCell(3, 2) <- randn(1, 3)
GaussianNLLLoss() <- randn(2, 3); t = randn(2, 3); v = rand(2, 3)
GroupNorm(2, 4) <- randn(1, 4, 3)
HingeEmbeddingLoss() <- randn(2, 3); t = tensor([[1, -1, 1], [-1, 1, 1]])
HuberLoss() <- randn(2, 3); t = randn(2, 3)
InstanceNorm1d(2) <- randn(1, 2, 4)
InstanceNorm2d(2) <- randn(1, 2, 3, 3)
InstanceNorm3d(2) <- randn(1, 2, 2, 2, 2)
KLDivLoss(reduction="batchmean") <- x = randn(2, 3).log_softmax(1); t = rand(2, 3).softmax(1)
L1Loss() <- randn(2, 3); t = randn(2, 3)
LPPool1d(2, 2) <- rand(1, 2, 8)
LPPool2d(2, 2) <- rand(1, 1, 4, 4)
LPPool3d(2, 2) <- rand(1, 1, 4, 4, 4)
LSTM(3, 2) <- randn(4, 1, 3)
LSTMCell(3, 2) <- randn(1, 3)
LayerNorm(4) <- randn(2, 4)
LazyBatchNorm1d() <- randn(4, 3)
LazyBatchNorm2d() <- randn(2, 2, 3, 3)
LazyBatchNorm3d() <- randn(2, 2, 2, 2, 2)
LazyConv1d(3, 3) <- randn(1, 2, 8)
LazyConv2d(2, 3) <- randn(1, 1, 5, 5)
LazyConv3d(2, 2) <- randn(1, 1, 3, 3, 3)
LazyConvTranspose1d(3, 3) <- randn(1, 2, 4)
LazyConvTranspose2d(2, 3) <- randn(1, 1, 3, 3)
LazyConvTranspose3d(2, 2) <- randn(1, 1, 2, 2, 2)
LazyInstanceNorm1d() <- randn(1, 2, 4)
LazyInstanceNorm2d() <- randn(1, 2, 3, 3)
LazyInstanceNorm3d() <- randn(1, 2, 2, 2, 2)
LazyLinear(3) <- randn(2, 4)
Linear(4, 3) <- randn(2, 4)
LinearCrossEntropyLoss(4, 3) <- randn(2, 4); t = tensor([2, 0])
LocalResponseNorm(2) <- randn(1, 4, 3)
MSELoss() <- randn(2, 3); t = randn(2, 3)
MarginRankingLoss() <- randn(3); x2 = randn(3); t = tensor([1, -1, 1])
MaxPool1d(2) <- randn(1, 2, 8)
MaxPool2d(2) <- randn(1, 1, 4, 4)
MaxPool3d(2) <- randn(1, 1, 4, 4, 4)
MaxUnpool1d(2) <- randn(1, 1, 3); i = tensor([[[1, 2, 5]]])
MaxUnpool2d(2) <- randn(1, 1, 2, 2); i = tensor([[[[0, 3], [9, 10]]]])
MaxUnpool3d(2) <- randn(1, 1, 1, 1, 1); i = tensor([[[[[3]]]]])
ModuleDict({"a": nn.Linear(3, 2)}) <-
ModuleList([nn.Linear(3, 2), nn.ReLU()]) <-
MultiLabelMarginLoss() <- randn(1, 4); t = tensor([[3, 0, -1, 1]])
MultiLabelSoftMarginLoss() <- randn(2, 3); t = tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
MultiMarginLoss() <- randn(2, 3); t = tensor([2, 0])
MultiheadAttention(4, 2, batch_first=True) <- randn(1, 3, 4); k = randn(1, 3, 4); v = randn(1, 3, 4)
NLLLoss() <- x = randn(3, 4).log_softmax(1); t = tensor([2, 0, 3])
NLLLoss2d() <- x = randn(1, 3, 2, 2).log_softmax(1); t = tensor([[[2, 0], [1, 1]]])
PReLU() <- randn(2, 4)
PairwiseDistance() <- randn(2, 3); x2 = randn(2, 3)
ParameterDict({"w": torch.randn(2, 3)}) <-
ParameterList([torch.randn(2, 3)]) <-
PixelShuffle(2) <- randn(1, 4, 2, 2)
PixelUnshuffle(2) <- randn(1, 1, 4, 4)
PoissonNLLLoss() <- randn(2, 3); t = tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]])
RMSNorm(4) <- randn(2, 4)
RNN(3, 2) <- randn(4, 1, 3)
RNNCell(3, 2) <- randn(1, 3)
ReflectionPad1d(1) <- randn(1, 2, 4)
ReflectionPad2d(1) <- randn(1, 1, 3, 3)
ReflectionPad3d(1) <- randn(1, 1, 2, 2, 2)
ReplicationPad1d(1) <- randn(1, 2, 4)
ReplicationPad2d(1) <- randn(1, 1, 3, 3)
ReplicationPad3d(1) <- randn(1, 1, 2, 2, 2)
Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)) <- randn(2, 4)
SmoothL1Loss() <- randn(2, 3); t = randn(2, 3)
SoftMarginLoss() <- randn(2, 3); t = tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]])
Softmax(1) <- randn(2, 4)
LogSoftmax(1) <- randn(2, 4)
Softmin(1) <- randn(2, 4)
Softmax2d() <- randn(1, 3, 2, 2)
SyncBatchNorm(3) <- randn(4, 3)
Threshold(0.1, -1.0) <- randn(2, 4)
Transformer(4, 2, 1, 1, 8, dropout=0.0, batch_first=True) <- randn(1, 3, 4); x2 = randn(1, 2, 4)
TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, dropout=0.0, batch_first=True), 1)
    <- randn(1, 2, 4); m = randn(1, 3, 4)
TransformerDecoderLayer(4, 2, 8, dropout=0.0, batch_first=True) <- randn(1, 2, 4);
    m = randn(1, 3, 4)
TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), 1)
    <- randn(1, 3, 4)
TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True) <- randn(1, 3, 4)
TripletMarginLoss() <- randn(2, 3); x2 = randn(2, 3); x3 = randn(2, 3)
TripletMarginWithDistanceLoss() <- randn(2, 3); x2 = randn(2, 3); x3 = randn(2, 3)
Unflatten(1, (2, 3)) <- randn(2, 6)
Unfold((2, 2)) <- randn(1, 1, 3, 3)
Upsample(scale_factor=2) <- randn(1, 1, 2, 2)
UpsamplingBilinear2d(scale_factor=2) <- randn(1, 1, 2, 2)
UpsamplingNearest2d(scale_factor=2) <- randn(1, 1, 2, 2)
ZeroPad1d(1) <- randn(1, 2, 4)
ZeroPad2d(1) <- randn(1, 1, 3, 3)
ZeroPad3d(1) <- randn(1, 1, 2, 2, 2)
"""

_LAYERS = """
Activation("tanh") <- randn(2, 4)
ActivityRegularization(l2=0.01) <- randn(2, 4)
AdaptiveAveragePooling1D(4) <- randn(1, 8, 2)
AdaptiveAveragePooling2D(2) <- randn(1, 4, 4, 2)
AdaptiveAveragePooling3D(2) <- randn(1, 4, 4, 4, 1)
AdaptiveMaxPooling1D(4) <- randn(1, 8, 2)
AdaptiveMaxPooling2D(2) <- randn(1, 4, 4, 2)
AdaptiveMaxPooling3D(2) <- randn(1, 4, 4, 4, 1)
Add() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
AdditiveAttention() <- [q, v]; q = randn(1, 2, 3); v = randn(1, 4, 3)
AlphaDropout(0.5) <- randn(2, 4) | training=True
Attention() <- [q, v]; q = randn(1, 2, 3); v = randn(1, 4, 3)
AutoContrast() <- rand(1, 2, 2, 3)
Average() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
AveragePooling1D(2) <- randn(1, 8, 2)
AveragePooling2D(2) <- randn(1, 4, 4, 2)
AveragePooling3D(2) <- randn(1, 4, 4, 4, 1)
BatchNormalization() <- randn(4, 3) | training=True
Bidirectional(keras.layers.SimpleRNN(2)) <- randn(1, 4, 3)
CategoryEncoding(num_tokens=4) <- tensor([[0, 2], [1, 1]])
CenterCrop(2, 2) <- rand(1, 4, 4, 1)
Concatenate() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 2)
Conv1D(3, 3) <- randn(1, 8, 2)
Conv1DTranspose(3, 3) <- randn(1, 4, 2)
Conv2D(2, 3) <- randn(1, 5, 5, 1)
Conv2DTranspose(2, 3) <- randn(1, 3, 3, 1)
Conv3D(2, 2) <- randn(1, 3, 3, 3, 1)
Conv3DTranspose(2, 2) <- randn(1, 2, 2, 2, 1)
ConvLSTM1D(2, 2) <- randn(1, 3, 4, 1)
ConvLSTM2D(2, 2) <- randn(1, 2, 3, 3, 1)
ConvLSTM3D(2, 2) <- randn(1, 2, 2, 2, 2, 1)
Cropping1D(1) <- randn(1, 4, 2)
Cropping2D(1) <- randn(1, 4, 4, 1)
Cropping3D(1) <- randn(1, 4, 4, 4, 1)
CutMix(seed=0) <- {"images": x, "labels": t}; x = rand(2, 4, 4, 1); t = eye(2) | training=True
Dense(3) <- randn(2, 4)
DepthwiseConv1D(3) <- randn(1, 8, 2)
DepthwiseConv2D(3) <- randn(1, 5, 5, 2)
Discretization(bin_boundaries=[0.0, 1.0]) <- tensor([-0.5, 0.3, 2.0])
Dot(1) <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
Dropout(0.5, seed=0) <- randn(2, 4) | training=True
EinsumDense("ab,bc->ac", 3, bias_axes="c") <- randn(2, 4)
Embedding(5, 3) <- tensor([0, 3, 3])
Equalization() <- rand(1, 2, 2, 3)
Flatten() <- randn(2, 2, 3)
GRU(2) <- randn(1, 4, 3)
GRUCell(2) <- randn(1, 3); h = zeros(1, 2)
GaussianDropout(0.5, seed=0) <- randn(2, 4) | training=True
GaussianNoise(0.1, seed=0) <- randn(2, 4) | training=True
GlobalAveragePooling1D() <- randn(1, 4, 2)
GlobalAveragePooling2D() <- randn(1, 4, 4, 2)
GlobalAveragePooling3D() <- randn(1, 2, 2, 2, 2)
GlobalMaxPooling1D() <- randn(1, 4, 2)
GlobalMaxPooling2D() <- randn(1, 4, 4, 2)
GlobalMaxPooling3D() <- randn(1, 2, 2, 2, 2)
GroupNormalization(2) <- randn(1, 3, 4)
GroupQueryAttention(2, 2, 1) <- randn(1, 3, 4); v = randn(1, 3, 4)
HashedCrossing(5) <- (tensor([1, 2]), tensor([3, 4]))
Hashing(4) <- tensor([1, 2, 3])
IntegerLookup(vocabulary=[3, 7]) <- tensor([7, 3, 5])
LSTM(2) <- randn(1, 4, 3)
LSTMCell(2) <- randn(1, 3); s = [torch.zeros(1, 2), torch.zeros(1, 2)]
Lambda(lambda x: x**2) <- randn(2, 4)
LayerNormalization() <- randn(2, 4)
Masking() <- tensor([[[1.0, 2.0], [0.0, 0.0]]])
MaxNumBoundingBoxes(2, bounding_box_format="xyxy")
    <- {"images": x, "bounding_boxes": {"boxes": b, "labels": l}}; x = rand(1, 4, 4, 3);
    b = rand(1, 3, 4); l = ones(1, 3)
MaxPooling1D(2) <- randn(1, 8, 2)
MaxPooling2D(2) <- randn(1, 4, 4, 1)
MaxPooling3D(2) <- randn(1, 4, 4, 4, 1)
Maximum() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
MelSpectrogram(fft_length=8, sequence_stride=4, sequence_length=8, num_mel_bins=3,
    sampling_rate=100, min_freq=1, max_freq=50) <- randn(1, 16)
Minimum() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
MixUp(seed=0) <- {"images": x, "labels": t}; x = rand(2, 4, 4, 1); t = eye(2) | training=True
MultiHeadAttention(2, 2) <- randn(1, 3, 4); v = randn(1, 3, 4)
Multiply() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
Normalization(mean=1.0, variance=4.0) <- randn(2, 4)
PReLU() <- randn(2, 4)
Permute((2, 1)) <- randn(1, 2, 3)
Pipeline([keras.layers.Rescaling(2.0), keras.layers.Flatten()]) <- rand(1, 2, 2)
RMSNormalization() <- randn(2, 4)
RNN(keras.layers.SimpleRNNCell(2)) <- randn(1, 4, 3)
RandAugment(seed=0) <- rand(1, 4, 4, 3) | training=True
RandomBrightness(0.5, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomColorDegeneration(0.5, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomColorJitter(value_range=(0, 1), brightness_factor=0.5, seed=0)
    <- rand(1, 2, 2, 3) | training=True
RandomContrast(0.5, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomCrop(2, 2, seed=0) <- rand(1, 4, 4, 1) | training=True
RandomErasing(value_range=(0, 1), seed=0) <- rand(1, 4, 4, 3) | training=True
RandomFlip(seed=0) <- rand(1, 2, 2, 3) | training=True
RandomGaussianBlur(value_range=(0, 1), seed=0) <- rand(1, 4, 4, 3) | training=True
RandomGrayscale(factor=1.0, seed=0) <- rand(1, 2, 2, 3) | training=True
RandomHue(0.5, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomInvert(value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomPosterization(2, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomRotation(0.1, seed=0) <- rand(1, 4, 4, 1) | training=True
RandomSaturation(0.5, value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3) | training=True
RandomSharpness(0.5, value_range=(0, 1), seed=0) <- rand(1, 4, 4, 3) | training=True
RandomShear(0.1, 0.1, seed=0) <- rand(1, 4, 4, 3) | training=True
RandomTranslation(0.2, 0.2, seed=0) <- rand(1, 4, 4, 1) | training=True
RandomZoom(0.2, seed=0) <- rand(1, 4, 4, 1) | training=True
RepeatVector(2) <- randn(1, 3)
Rescaling(0.5, offset=1.0) <- randn(2, 4)
Reshape((3, 2)) <- randn(1, 6)
Resizing(2, 2) <- rand(1, 4, 4, 1)
ReversibleEmbedding(5, 3) <- tensor([0, 3, 3])
SeparableConv1D(2, 3) <- randn(1, 6, 2)
SeparableConv2D(2, 3) <- randn(1, 5, 5, 2)
SimpleRNN(2) <- randn(1, 4, 3)
SimpleRNNCell(2) <- randn(1, 3); h = zeros(1, 2)
Solarization(value_range=(0, 1), seed=0) <- rand(1, 2, 2, 3)
SpatialDropout1D(0.5, seed=0) <- randn(1, 3, 4) | training=True
SpatialDropout2D(0.5, seed=0) <- randn(1, 2, 2, 4) | training=True
SpatialDropout3D(0.5, seed=0) <- randn(1, 2, 2, 2, 4) | training=True
SpectralNormalization(keras.layers.Dense(2)) <- randn(2, 3)
StackedRNNCells([keras.layers.SimpleRNNCell(2)]) <- randn(1, 3); s = [torch.zeros(1, 2)]
StringLookup(vocabulary=["a", "b"]) <- [["b", "c"]]
Subtract() <- [x, x2]; x = randn(2, 3); x2 = randn(2, 3)
TextVectorization(vocabulary=["the", "cat"]) <- ["the cat sat"]
TimeDistributed(keras.layers.Dense(2)) <- randn(1, 4, 3)
TorchModuleWrapper(torch.nn.Linear(3, 2)) <- randn(2, 3)
UnitNormalization() <- randn(2, 4)
UpSampling1D(2) <- randn(1, 2, 2)
UpSampling2D(2) <- randn(1, 2, 2, 1)
UpSampling3D(2) <- randn(1, 1, 2, 2, 1)
ZeroPadding1D(1) <- randn(1, 3, 2)
ZeroPadding2D(1) <- randn(1, 2, 2, 1)
ZeroPadding3D(1) <- randn(1, 1, 2, 2, 1)
"""

#: Not layers that compute, and why.
WITHOUT = {
    "Module": "Every layer derives from it; it computes nothing by itself.",
    "Layer": "Every Keras layer derives from it; it computes nothing by itself.",
    "Wrapper": "What layers around another layer derive from; it computes nothing by itself.",
    "RNNBase": "What RNN, LSTM and GRU have in common; see these.",
    "RNNCellBase": "What the cells have in common; see RNNCell, LSTMCell, GRUCell.",
    "Container": "What containers derive from.",
    "IndexLookup": "What StringLookup and IntegerLookup have in common; see these.",
    "InputLayer": "Where a functional model begins; it passes on what it is given.",
    "InputSpec": "What a layer says of the inputs that it takes; no layer.",
}

#: Containers that hold layers or tensors for others to use.
HOLDS = ("ModuleDict", "ModuleList", "ParameterDict", "ParameterList")

#: The same layer in both faces.
PAIRS = """
AdaptiveAvgPool1d AdaptiveAveragePooling1D · AdaptiveAvgPool2d AdaptiveAveragePooling2D
AdaptiveAvgPool3d AdaptiveAveragePooling3D · AdaptiveMaxPool1d AdaptiveMaxPooling1D
AdaptiveMaxPool2d AdaptiveMaxPooling2D · AdaptiveMaxPool3d AdaptiveMaxPooling3D
AlphaDropout AlphaDropout · AvgPool1d AveragePooling1D · AvgPool2d AveragePooling2D
AvgPool3d AveragePooling3D · BatchNorm1d BatchNormalization · BatchNorm2d BatchNormalization
BatchNorm3d BatchNormalization · Conv1d Conv1D · Conv2d Conv2D · Conv3d Conv3D
ConvTranspose1d Conv1DTranspose · ConvTranspose2d Conv2DTranspose · ConvTranspose3d Conv3DTranspose
Dropout Dropout · Dropout1d SpatialDropout1D · Dropout2d SpatialDropout2D
Dropout3d SpatialDropout3D · ELU ELU · Embedding Embedding · Flatten Flatten · GRU GRU
GRUCell GRUCell · GroupNorm GroupNormalization · Identity Identity · LSTM LSTM · LSTMCell LSTMCell
LayerNorm LayerNormalization · LeakyReLU LeakyReLU · Linear Dense · MaxPool1d MaxPooling1D
MaxPool2d MaxPooling2D · MaxPool3d MaxPooling3D · Module Layer
MultiheadAttention MultiHeadAttention · PReLU PReLU · RMSNorm RMSNormalization · RNN SimpleRNN
RNNCell SimpleRNNCell · ReLU ReLU · Softmax Softmax · Unflatten Reshape · Upsample UpSampling2D
UpsamplingNearest2d UpSampling2D · ZeroPad1d ZeroPadding1D · ZeroPad2d ZeroPadding2D
ZeroPad3d ZeroPadding3D
"""


def _read(rows: str) -> dict[str, Example]:
    found = {}
    for row in re.sub(r"\n {4}", " ", rows).strip().splitlines():
        make, _, rest = row.partition("<-")
        given, _, more = rest.partition("|")
        inputs = []
        for part in filter(None, map(str.strip, given.split(";"))):
            name, mark, value = part.partition(" = ")
            inputs.append((name, value) if mark else ("" if part[0] in "[{(" else "x", part))
        found[make.split("(")[0].strip()] = Example(make.strip(), tuple(inputs), more.strip())
    return found


MODULES, LAYERS = _read(_MODULES), _read(_LAYERS)


def pairs() -> list[tuple[str, str]]:
    """(PyTorch's layer, Keras's layer)."""
    return [
        (a, b) for a, b in (p.split() for p in PAIRS.replace("\n", "·").split("·") if p.strip())
    ]
