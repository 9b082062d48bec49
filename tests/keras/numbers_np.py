"""Slow and plain NumPy versions of what layers compute."""

import numpy as np


def same(n, k, s, d=1):
    total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
    return total // 2, total - total // 2


def windows(x, size, strides, dilation=(1, 1)):
    """(n, h', w', kh, kw, c): every window of a padded image (n, h, w, c)."""
    (kh, kw), (sh, sw), (dh, dw) = size, strides, dilation
    rows = (x.shape[1] - (kh - 1) * dh - 1) // sh + 1
    columns = (x.shape[2] - (kw - 1) * dw - 1) // sw + 1
    out = np.empty((x.shape[0], rows, columns, kh, kw, x.shape[3]), x.dtype)
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = x[:, i * sh : i * sh + kh * dh : dh, j * sw : j * sw + kw * dw : dw][
                :, :kh, :kw
            ]
    return out


def pad_same(x, size, strides, dilation=(1, 1), value=0.0):
    pads = [
        same(n, k, s, d) for n, k, s, d in zip(x.shape[1:3], size, strides, dilation, strict=True)
    ]
    return np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=value)


def conv2d(x, w, strides=(1, 1), padding="valid", dilation=(1, 1)):
    if padding == "same":
        x = pad_same(x, w.shape[:2], strides, dilation)
    return np.einsum("nijabc,abco->nijo", windows(x, w.shape[:2], strides, dilation), w)


def conv2d_transpose(x, w, strides, padding):
    """The gradient of conv2d with respect to its input; w (kh, kw, out, in)."""
    n, h, wd, _ = x.shape
    kh, kw, out, _ = w.shape
    sh, sw = strides
    full = np.zeros((n, (h - 1) * sh + kh, (wd - 1) * sw + kw, out))
    for i in range(h):
        for j in range(wd):
            full[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += np.einsum(
                "nc,aboc->nabo", x[:, i, j], w
            )
    if padding == "valid":
        return np.pad(full, [(0, 0), (0, max(sh - kh, 0)), (0, max(sw - kw, 0)), (0, 0)])
    top, left = same(h * sh, kh, sh)[0], same(wd * sw, kw, sw)[0]
    full = np.pad(full, [(0, 0), (0, sh), (0, sw), (0, 0)])  # a kernel shorter than the stride
    return full[:, top : top + h * sh, left : left + wd * sw]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, k, r, b, h=None, c=None):
    n = r.shape[0]
    h = np.zeros((len(x), n)) if h is None else h
    c = np.zeros((len(x), n)) if c is None else c
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ k + h @ r + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


def gru(x, k, r, b, reset_after=True):
    n = r.shape[0]
    h = np.zeros((len(x), n))
    outputs = []
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t] @ k + (b[0] if reset_after else b), 3, -1)
        if reset_after:
            hz, hr, hh = np.split(h @ r + b[1], 3, -1)
            z, gate = sigmoid(xz + hz), sigmoid(xr + hr)
            candidate = np.tanh(xh + gate * hh)
        else:
            z = sigmoid(xz + h @ r[:, :n])
            gate = sigmoid(xr + h @ r[:, n : 2 * n])
            candidate = np.tanh(xh + (gate * h) @ r[:, 2 * n :])
        h = z * h + (1 - z) * candidate
        outputs.append(h)
    return np.stack(outputs, 1)
