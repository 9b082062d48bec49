"""The second document's Transformer, unrepaired. It cannot run, here or in PyTorch.

    python examples/seeds/transformer_as_printed.py

ends with an error that says what the first of its faults is. `transformer.py` repairs them one by one.
"""

# ── what the document leaves open: sequences of digits, and the digit that comes next ──
import chainrule
from chainrule.datasets.symbolic import load_symbolic

train_loader = [tuple(chainrule.from_numpy(part) for part in load_symbolic("sort", 64))]

# ── the document's program, with nothing but its import lines changed ──
import chainrule as torch
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
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(hidden_size, num_heads, dropout) for _ in range(num_layers)])
        self.output = nn.Linear(hidden_size, input_size)
    def forward(self, src):
        src_mask = torch.zeros(src.size(0), src.size(1), dtype=torch.long).to(src.device)
        src = self.embedding(src) * math.sqrt(torch.tensor(self.hidden_size // self.num_heads))
        src = self.position_encoding(torch.arange(src.size(1), device=src.device))
        src = src + src.unsqueeze(1)
        output = self.layers(src, src_mask)
        output = self.output(output)
        return output
model = Transformer(input_size=10, hidden_size=50, num_layers=2, num_heads=2, dropout=0.1)
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
