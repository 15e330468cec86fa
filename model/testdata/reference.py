#!/usr/bin/env python3
"""Writes reference.json: outputs and gradients of linear attention, retention
and RWKV time mixing, computed in float64 from the formulas of their papers with
PyTorch's autograd, independently of the Go code.

  python3 reference.py > reference.json
"""
import json
import torch

torch.set_default_dtype(torch.float64)
T, D = 11, 6


def draw(seed):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(T, D, generator=g).requires_grad_() for _ in range(3)], torch.randn(T, D, generator=g)


def linear_elu(q, k, v):
    """Katharopoulos et al. 2020, recurrent form (equations 16 to 20)."""
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    return recurrent_linear(q, k, v)


def linear_exp(q, k, v):
    """Queries softmax over features times d^-1/2, keys exp."""
    return recurrent_linear(q.softmax(-1) * D ** -0.5, k.exp(), v)


def recurrent_linear(q, k, v):
    s, z, out = torch.zeros(D, D), torch.zeros(D), []
    for t in range(T):
        s = s + torch.outer(k[t], v[t])
        z = z + k[t]
        out.append((q[t] @ s) / (q[t] @ z + 1e-6))
    return torch.stack(out)


GAMMA = 1 - 2.0 ** -5


def retention(q, k, v):
    """Sun et al. 2023, equation 5 (parallel form) without rotation and norm."""
    n = torch.arange(T)[:, None] - torch.arange(T)[None, :]
    decay = torch.where(n >= 0, GAMMA ** n.clamp(min=0).double(), torch.zeros(()))
    return (q @ k.T * decay) @ v


def rwkv(decay, bonus):
    def mix(r, k, v):
        """Peng et al. 2023, equations 14 and 15."""
        w, u, out = decay.exp(), bonus, []
        for t in range(T):
            num = (u + k[t]).exp() * v[t]
            den = (u + k[t]).exp()
            for i in range(t):
                e = (-(t - 1 - i) * w + k[i]).exp()
                num, den = num + e * v[i], den + e
            out.append(torch.sigmoid(r[t]) * num / den)
        return torch.stack(out)
    return mix


def case(f, seed, **extra):
    (a, b, c), weight = draw(seed)
    o = f(a, b, c)
    (o * weight).sum().backward()
    flat = lambda x: [round(v, 12) for v in x.detach().flatten().tolist()]
    out = dict(q=flat(a), k=flat(b), v=flat(c), do=flat(weight), o=flat(o), dq=flat(a.grad), dk=flat(b.grad), dv=flat(c.grad))
    for name, x in extra.items():
        out[name] = flat(x)
        out["d" + name] = flat(x.grad)
    return out


decay = torch.linspace(-3, 1, D).requires_grad_()
bonus = torch.linspace(-1, 0.5, D).requires_grad_()
print(json.dumps({
    "rows": T, "dim": D, "gamma": GAMMA,
    "linear-elu": case(linear_elu, 1),
    "linear-exp": case(linear_exp, 2),
    "retention": case(retention, 3),
    "rwkv": case(rwkv(decay, bonus), 4, decay=decay, bonus=bonus),
}, indent=None, separators=(",", ":")))
