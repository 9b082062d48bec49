"""The second document's convolutional network, on MNIST.

    python examples/seeds/dcnn.py --epochs 1

The document leaves `train_loader` open: here it gives batches of 64 training images, pixels from 0 to 1. Needs MNIST:
in the folder that CHAINRULE_DATA names, in the cache, or downloaded.
"""

# ── what the document leaves open: the data ──
import around
from chainrule.utils.data import DataLoader, Subset
from chainrule.vision.datasets import MNIST
from chainrule.vision.transforms import ToTensor

args = around.options(__doc__, batch_size=64)
with around.data_or_exit():
    sets = [MNIST(train=train, transform=ToTensor(), download=True) for train in (True, False)]
if args.limit:
    sets = [Subset(s, range(min(args.limit, len(s)))) for s in sets]
train_set, test_set = sets
test_loader = DataLoader(test_set, batch_size=1000)
train_loader = around.Epochs(
    DataLoader(train_set, batch_size=args.batch_size, shuffle=True),
    args.epochs,
    after=lambda n: f"test accuracy {100 * around.accuracy(model, test_loader):.2f} %",
)
around.torch.manual_seed(args.seed)

# ── the document's program, with nothing but its import lines changed ──
import chainrule as torch
import chainrule.nn as nn
import chainrule.optim as optim
class DCNN(nn.Module):
    def __init__(self):
        super(DCNN, self).__init__()
        self.conv1 = nn.Conv2d(in_channels=1, out_channels=32, kernel_size=3, stride=1, padding=1)
        self.conv2 = nn.Conv2d(in_channels=32, out_channels=64, kernel_size=3, stride=1, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.fc1 = nn.Linear(in_features=64 * 7 * 7, out_features=128)
        self.fc2 = nn.Linear(in_features=128, out_features=10)
        self.relu = nn.ReLU()
    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = x.view(-1, 64 * 7 * 7)
        x = self.relu(self.fc1(x))
        x = self.fc2(x)
        return x
model = DCNN()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.01)
# 训练模型
for epoch in range(10):
    for data, target in train_loader:
        optimizer.zero_grad()
        output = model(data)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
# ── the end of the document's program ──
