"""The second document's Transformer, repaired, on a symbolic task and on characters of Shakespeare.

    python examples/seeds/transformer.py
    python examples/seeds/transformer.py --task shakespeare --epochs 1

As printed it cannot run anywhere. Eight faults are repaired below, nothing else is changed; each repair has a comment:

    1  math is not imported                               5  the position encoding overwrites the embedding
    2  math.sqrt gets a tensor                            6  the mask is all zeros, and of the wrong type
    3  the dropout lands in dim_feedforward               7  unsqueeze breaks the shapes
    4  a ModuleList is called                             8  the loss wants the classes on axis 1

The network says at each place what comes next. `--task sort` (at the printed sizes: ten symbols, at most ten places)
shows it five digits and asks for the same digits in order: 3 1 4 1 5 → 1 1 3 4 5; it is tested on 2,000 rows that it
never saw, and a row counts when all five digits are right. `--task shakespeare` reads 64 characters at a time from
tiny Shakespeare, in the folder that CHAINRULE_DATA names (tinyshakespeare/input.txt), the cache, or downloaded; its
test is the last tenth of the text, in nats per character.
"""

# ── what the document leaves open: the data ──
import around
from chainrule.datasets.symbolic import IGNORED, load_symbolic
from chainrule.datasets.text import encode, load_tiny_shakespeare, windows
from chainrule.utils.data import DataLoader, TensorDataset

args = around.options(__doc__, batch_size=64, task={"choices": ["sort", "shakespeare"], "default": "sort"})
if args.task == "sort":
    vocabulary = 10
    x, y = load_symbolic("sort", 12_000)
    sets = [(x[:10_000], y[:10_000]), (x[10_000:], y[10_000:])]
else:
    with around.data_or_exit():
        texts = [load_tiny_shakespeare(split) for split in ("train", "test")]
    alphabet = "".join(sorted(set("".join(texts))))
    vocabulary = len(alphabet)
    sets = [windows(encode(text, alphabet), 64) for text in texts]
train_set, test_set = (
    TensorDataset(*(around.torch.from_numpy(part[: args.limit]) for part in s)) for s in sets
)
test_loader = DataLoader(test_set, batch_size=250)


def tested(n: int) -> str:
    """Rows whose answer is right in every place (sort), or the mean loss (Shakespeare)."""
    model.eval()
    with torch.no_grad():
        if args.task == "sort":
            wrong = [((model(x).argmax(1) != y) & (y != IGNORED)).any(1).sum().item() for x, y in test_loader]
            result = f"unseen rows sorted without a fault: {100 * (1 - sum(wrong) / len(test_set)):.1f} %"
        else:
            losses = [criterion(model(x), y).item() * len(x) for x, y in test_loader]
            result = f"test loss {sum(losses) / len(test_set):.3f} nats per character"
    model.train()
    return result


train_loader = around.Epochs(
    DataLoader(train_set, batch_size=args.batch_size, shuffle=True), args.epochs, after=tested
)
around.torch.manual_seed(args.seed)

# ── the document's program; what differs from the print, but for the import lines, has a comment ──
import chainrule as torch
import math  # fault 1: math was not imported
import chainrule.nn as nn
import chainrule.optim as optim
class Transformer(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers, num_heads, dropout):
        super(Transformer, self).__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.dropout = dropout
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.position_encoding = nn.Embedding(input_size, hidden_size)
        # fault 3: the third place is dim_feedforward, the dropout landed there; a dropout needs its name
        # fault 7: sequences come as (batch, steps), which the layers must be told
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(hidden_size, num_heads, dropout=dropout, batch_first=True) for _ in range(num_layers)])
        self.output = nn.Linear(hidden_size, input_size)
    def forward(self, src):
        # fault 6: the mask was all zeros (which hides nothing), whole numbers, and (batch, steps); it must be
        # (steps, steps), floating, and -inf where a step would look at a later one
        src_mask = torch.full((src.size(1), src.size(1)), -math.inf).triu(1).to(src.device)
        # fault 2: math.sqrt got a tensor
        src = self.embedding(src) * math.sqrt(self.hidden_size // self.num_heads)
        # fault 5: the position encoding was assigned to src and overwrote the embedding
        position = self.position_encoding(torch.arange(src.size(1), device=src.device))
        # fault 7: unsqueeze(1) on (steps, hidden) gave (steps, 1, hidden); the batch's axis is the first
        src = src + position.unsqueeze(0)
        # fault 4: a ModuleList is a list and cannot be called
        output = src
        for layer in self.layers:
            output = layer(output, src_mask)
        output = self.output(output)
        # fault 8: the loss wants (batch, classes, steps)
        return output.transpose(1, 2)
# left open by the document: the vocabulary; the 10 digits as printed, or Shakespeare's 65 characters
model = Transformer(input_size=vocabulary, hidden_size=50, num_layers=2, num_heads=2, dropout=0.1)
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
