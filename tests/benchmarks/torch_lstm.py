"""A plain PyTorch LSTM with the shapes and the loss of the interest model; trains one step per input line.

python torch_lstm.py BATCH LENGTH ITEMS SIZE UNITS THREADS
"""

import sys

import torch
from torch import nn


class NextItem(nn.Module):
    """Tied item embeddings, an LSTM, a projection, and a bias for each item."""

    def __init__(self, items: int, size: int, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(items, size)
        self.lstm = nn.LSTM(size, units, batch_first=True)
        self.projection = nn.Linear(units, size)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(0.25)

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """[batch, length] -> [batch * length, items] logits."""
        outputs, _ = self.lstm(self.dropout(self.embedding(items)))
        interests = self.projection(self.dropout(outputs))
        return interests.flatten(0, 1) @ self.embedding.weight.T + self.bias


def main() -> None:
    batch, length, items, size, units, threads = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    model = NextItem(items, size, units)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    walks = torch.randint(0, items, (batch, length + 1))
    for _ in sys.stdin:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(walks[:, :-1]), walks[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(loss.item(), flush=True)


if __name__ == "__main__":
    main()
