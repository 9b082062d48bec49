"""The second document's recurrent network, on echoes of a sonar.

    python examples/seeds/lstm.py

The printed network reads ten features per step and tells two classes apart. The sonar echoes of Gorman and Sejnowski
(1988, UCI) fit it without padding or invention: an echo is 60 numbers, a course of time, because the sonar sends a
rising chirp and each number is the energy in one band; six steps of ten bands each. The two classes are rocks and a
metal cylinder, and nobody has to make them up. The other real two-class data at hand would need a step that the
document does not have: an embedding for words, or cut points for temperatures.

There are 208 echoes: 166 to train, 42 to test, so that one echo more or less is 2.4 percentage points. Each band is
standardised: without it the printed ten epochs mostly stay at chance, in PyTorch too. The echoes are read from the folder that CHAINRULE_DATA names (uci/sonar.csv), from the cache, or downloaded.
"""

# ── what the document leaves open: the data ──
import around
from chainrule import datasets
from chainrule.utils.data import DataLoader, TensorDataset

args = around.options(__doc__, batch_size=16)
with around.data_or_exit():
    sets = [datasets.load_sonar(split) for split in ("train", "test")]  # (n, 6, 10) and (n,)
mean, spread = sets[0][0].mean(axis=0), sets[0][0].std(axis=0)  # each band's, of the training echoes
train_set, test_set = (
    TensorDataset(
        around.torch.from_numpy((x[: args.limit] - mean) / spread),
        around.torch.from_numpy(y[: args.limit]),
    )
    for x, y in sets
)
test_loader = DataLoader(test_set, batch_size=1000)
train_loader = around.Epochs(
    DataLoader(train_set, batch_size=args.batch_size, shuffle=True),
    args.epochs,
    after=lambda n: f"test accuracy {100 * around.accuracy(model, test_loader):.1f} %",
)
around.torch.manual_seed(args.seed)

# ── the document's program, with nothing but its import lines changed ──
import chainrule as torch
import chainrule.nn as nn
import chainrule.optim as optim
class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers, num_classes):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)
    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        output, (hn, cn) = self.lstm(x, (h0, c0))
        output = self.fc(output[:, -1, :])
        return output
model = RNN(input_size=10, hidden_size=50, num_layers=2, num_classes=2)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)
# 训练模型
for epoch in range(10):
    for data, target in train_loader:
        optimizer.zero_grad()
        output = model(data)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
# ── the end of the document's program ──
