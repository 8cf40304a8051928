"""Random torch functions as people write them: source text, with the shapes and properties of the arguments.

A row is a piece of torch code with holes, listed under the shape that it has.  In rows, i j k l stand for any sizes, and
`*` for any shape; so `{i j} @ {j}` under `i` is a vector, made of a matrix and a vector that are random again.  Holes:

    {i j}  {}  {*}     an expression of this shape, a scalar, one of the row's own shape
    {i j !}            a name: an argument or a local variable
    {i j +}            positive entries
    {#i}               a size, in one of the ways to write it
    {=2|0.5}           one of these texts
    {pd i} {inv i}     a positive-definite matrix, an invertible one: an argument declared so, or a product plus I
    {labels i<j} {signs i} {binary i} {unit *} {simplex *}    an argument declared so
    {each i}           a scalar made of entry `$i` of something, inside a loop
    $name              a local name of its own

A row of several lines, which a blank line ends, has statements and then its value.
"""

from __future__ import annotations

import ast
import keyword
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache

Shape = tuple[str | int, ...]

SIZES = {"n": 11, "m": 8, "d": 2, 3: 1, 2: 0.6, 4: 0.3}  # with how often each is chosen
DERIVED = ("n-1", "m-1", "n+1", "2*n", "n+m", "n*m")  # sizes that an expression may have
NAMES = {0: "t s lam alpha c", 1: "x y z u v w b a q", 2: "A B C W X Y M Z G H", 3: "T U V Q"}
LOCALS = "r h out res tmp pred total loss diff e g acc val part o p1 p2 p3 p4 p5 p6 p7 p8 p9"
WORDS = {  # names of arguments with a property
    "positive-definite": "S K P",
    "symmetric": "S Q",
    "invertible": "A M B",
    "positive": "p q w d2",
    "unit-interval": "p q y",
    "simplex": "p q pi_",
    "signs": "y signs",
    "binary": "mask y",
    "index": "labels idx target",
}

# ---- rows ---------------------------------------------------------------------------------------------------------

ARITHMETIC = """
*: {*} + {*}
   {*} - {*}
   {*} - {*}
   {*} * {*}
   {*} * {*}
   -{*}
   {=2|0.5|-1.5|3|0.1} * {*}
   {*} / {=2|3|10}
   {*} / {#any}
   {} * {*}
   {} * {*}
   {*} / {+}
   {*} / {* +}
   {*} / (1 + {*} ** 2)
   {*} + {=1|0.5|2.0}
   {=1|2} - {*}
   {*} ** 2
   {*} ** {=2|3|4}
   {*}.pow({=2|3})
   torch.square({*})
   {*} * {*} - {*}
   torch.add({*}, {*}, alpha={=0.5|2})
   torch.mul({*}, {*})
   {*}.mul({*}).add({*})
   torch.lerp({*}, {*}, {=0.3|0.5})
   torch.addcmul({*}, {*}, {*}, value={=0.5|2})
   {* +} ** {=0.5|1.5|-1|-0.5|-2}
   {* +} ** {*}
   1 / {* +}
   {*} ** 2 / {* +}
i j: {i j} + {j}
     {i j} - {j}
     {i j} * {j}
     {i j} + {i 1}
     {i j} * {i}[:, None]
     {i j} / {i +}[:, None]
     {i j} / {j +}
     {i}[:, None] - {j}[None, :]
     {i}[:, None] * {j}
     {i 1} + {1 j}
     {i 1} * {1 j}
     {i}.unsqueeze(1) + {j}
     {i}.view(-1, 1) * {j}.view(1, -1)
i 1: {i 1} + {1 1}
"""

ELEMENTWISE = """
*: torch.exp({=-|0.5 * }{*})
   torch.exp(-{*} ** 2)
   (-{* +}).exp()
   torch.tanh({*})
   {*}.tanh()
   torch.sigmoid({*})
   {*}.sigmoid()
   1 / (1 + torch.exp(-{*}))
   torch.sin({*})
   {*}.cos()
   torch.atan({*})
   F.softplus({*})
   torch.log(1 + torch.exp({*}))
   torch.log({* +})
   {* +}.log()
   torch.log1p({*} ** 2)
   torch.sqrt({* +})
   {* +}.sqrt()
   torch.sqrt(1 + {*} ** 2)
   torch.rsqrt({* +})
   F.relu({*})
   {*}.relu()
   {*}.clamp(min=0)
   {*}.clamp(min={=0.1|-0.5})
   torch.clamp({*}, {=-1|0|-0.3}, {=1|0.7})
   {*}.clip(max=1.5)
   {*}.abs()
   torch.abs({*})
   F.leaky_relu({*}, {=0.1|0.2})
   F.elu({*})
   F.gelu({*})
   F.silu({*})
   F.logsigmoid({*})
   F.softsign({*})
   F.hardtanh({*})
   F.tanhshrink({*})
   F.mish({*})
   F.selu({*})
   torch.erf({*})
   torch.sinh({*} / 2)
   torch.reciprocal({* +})
   torch.pow({* +}, {=1.5|0.5|-1})
   torch.expm1({*} / 3)
   torch.maximum({*}, {*})
   torch.minimum({*}, {*})
   torch.where({*} > 0, {*}, {*})
   torch.where({*} > {*}, {*}, {=0.0|1.0})
   torch.where({*}.abs() < 1, 0.5 * {*} ** 2, {*}.abs())
   torch.logaddexp({*}, {*})
   torch.hypot({*}, {*})
   torch.atan2({*}, {* +})
   torch.xlogy({* +}, {* +})
   {*} * torch.sigmoid({*})
   {*} * torch.log({* +})
   ({*} > 0) * {*}
   ({*} > 0).to({*}.dtype) * {*}
   torch.nn.functional.softplus({*}, beta=2)
   torch.special.expit({*})
   torch.sign({*}) * {*}
   2 ** torch.tanh({*})
   {*}.clone()
   {*} * {binary *}
"""

POSITIVE = """
*: torch.exp({*})
   F.softplus({*})
   1 + {*} ** 2
   {*}.abs() + {=0.5|1}
   torch.sigmoid({*}) + 0.1
   {*} ** 2 + {=0.1|0.5|1}
   {* +} * {* +}
   {* +} + {* +}
   torch.sqrt(1 + {*} ** 2)
   {*}.pow(2).add(1)
   {=2|0.5} * {* +}
   torch.cosh({*} / 2)
: ({i} ** 2).sum() + 1
  {i +}.sum()
  {i +}.mean()
  1 + torch.norm({i})
  torch.exp({i}).sum()
  {i j +}.sum()
  torch.logdet({pd i}).exp()
i: {i j +}.sum(1)
   {j i +}.mean(0)
   {i j}.norm(dim=1) + 1
   torch.exp({i j}).sum(-1)
   torch.softmax({i}, dim=0)
   ({i j} ** 2).sum(1) + 0.5
   torch.diagonal({pd i})
i j: torch.softmax({i j}, dim={=0|1|-1})
     torch.exp({i}[:, None] - {j}[None, :])
     torch.outer({i +}, {j +})
     torch.exp(-torch.cdist({i k}, {j k}) / 2)
"""

PRODUCTS = """
: {i} @ {i}
  {i} @ {i}
  torch.dot({i}, {i})
  torch.inner({i}, {i})
  {i}.dot({i})
  torch.vdot({i}, {i})
  ({i} * {i}).sum()
  {i} @ {i j} @ {j}
  {i} @ {i j} @ {j}
  {i} @ {i i} @ {i}
  {i} @ {pd i} @ {i}
  ({i 1}.T @ {i 1}).squeeze()
  ({i 1}.T @ {i j} @ {j 1}).sum()
  ({1 i} @ {i 1})[0, 0]
  torch.trace({i j} @ {j i})
  torch.trace({i j}.T @ {i j})
  torch.sum({i j} * {i j})
  torch.tensordot({i j}, {i j}, 2)
  torch.linalg.multi_dot([{i}, {i j}, {j}])
  F.bilinear({i}, {j}, {1 i j}).squeeze()
i: {i j} @ {j}
   {i j} @ {j}
   {i j} @ {j}
   {j} @ {j i}
   {j i}.T @ {j}
   torch.mv({i j}, {j})
   {i j}.matmul({j})
   {i i} @ {i} + {i}
   torch.addmv({i}, {i j}, {j})
   F.linear({j}, {i j}, {i})
   {} * {i j} @ {j}
   {i j} @ {j k} @ {k}
   ({i j} * {i j}).sum(1)
   ({i j} @ {j 1}).squeeze(1)
   torch.tensordot({i j}, {j}, dims=1)
i 1: {i j} @ {j 1}
     {i j} @ {j 1}
     {j i}.T @ {j 1}
     torch.matmul({i j}, {j 1}) + {i 1}
     {i j} @ {j 1} + {i 1}
     {i j}.mm({j 1})
1 i: {1 j} @ {j i}
     {j 1}.T @ {j i}
1 1: {i 1}.T @ {i 1}
     {i 1}.T @ {i j} @ {j 1}
     {1 i} @ {i 1}
i j: {i k} @ {k j}
     {i k} @ {k j}
     {i k} @ {j k}.T
     {k i}.T @ {k j}
     torch.mm({i k}, {k j})
     torch.matmul({i k}, {k j}) + {j}
     F.linear({i k}, {j k}, {j})
     torch.addmm({i j}, {i k}, {k j})
     torch.outer({i}, {j})
     {i j} + torch.outer({i}, {j})
     {i 1} @ {1 j}
     {i 1} @ {j 1}.T
     torch.linalg.multi_dot([{i k}, {k l}, {l j}])
     torch.tensordot({i k}, {k j}, dims=1)
     torch.kron({i 1}, {1 j})
i i: {i i} @ {i i}
     torch.linalg.matrix_power({i i}, {=2|3})
     {i i} @ {i i} - {i i} @ {i i}
     {i j} @ {i j}.T
     {j i}.T @ {j i}
     {j i}.T @ torch.diag({j}) @ {j i}
i j k: {i j l} @ {l k}
       torch.bmm({i j l}, {i l k})
       {i 1 j}.transpose(1, 2) * {i 1 k}
"""

EINSUM = """
: torch.einsum('i,ij,j', {i}, {i j}, {j})
  torch.einsum('ij,ij->', {i j}, {i j})
  torch.einsum('i,i,i->', {i}, {i}, {i})
  torch.einsum('ij,jk,ki', {i j}, {j k}, {k i})
  torch.einsum('ii,i->', {i i}, {i})
  torch.einsum('i,j,ij->', {i}, {j}, {i j})
  torch.einsum('ijk,i,jk->', {i j k}, {i}, {j k})
i: torch.einsum('ij,j->i', {i j}, {j})
   torch.einsum('ji,j', {j i}, {j})
   torch.einsum('ij,ij->i', {i j}, {i j})
   torch.einsum('ij,jk,k->i', {i j}, {j k}, {k})
   torch.einsum('ii->i', {i i})
   torch.einsum('ij,jk,ik->i', {i j}, {j k}, {i k})
i j: torch.einsum('ik,kj->ij', {i k}, {k j})
     torch.einsum('ki,kj->ij', {k i}, {k j})
     torch.einsum('i,j->ij', {i}, {j})
     torch.einsum('i,ij->ij', {i}, {i j})
     torch.einsum('ji', {j i})
     torch.einsum('...k,jk->...j', {i k}, {j k})
     torch.einsum('ijk,k->ij', {i j k}, {k})
     torch.einsum('kij,k->ij', {k i j}, {k})
i j k: torch.einsum('ij,k->ijk', {i j}, {k})
       torch.einsum('i,j,k->ijk', {i}, {j}, {k})
       torch.einsum('ij,jk->ijk', {i j}, {j k})
       torch.einsum('ijl,lk->ijk', {i j l}, {l k})
"""

REDUCTIONS = """
: {i}.sum()
  {i j}.sum()
  torch.sum({i j})
  torch.sum({i} ** 2)
  {i}.mean()
  torch.mean({i j})
  ({i j} ** 2).mean()
  {i}.max()
  {i}.min()
  {i j}.max()
  torch.amax({i j})
  {i j}.sum(1).max()
  torch.prod({i})
  {i}.var()
  {i j}.var()
  torch.var({i}, unbiased=False)
  {i}.std()
  torch.std({i j}, correction=0)
  {i j k}.sum()
  ({i j k} ** 2).mean()
  torch.trace({i i})
  {i i}.trace()
  {i i}.diagonal().sum()
  {i j}.mean(0) @ {i j}.std(0)
  {i}.sum() / {#i}
  torch.sum({i}) / len({i !})
  {i 1}.sum()
i: {i j}.sum(1)
   {j i}.sum(dim=0)
   torch.sum({i j}, -1)
   {i j}.mean(1)
   torch.mean({j i}, dim=0)
   {j i}.var(0)
   {i j}.var(dim=1, unbiased=False)
   {i j}.std(1)
   {i j}.max(dim=1).values
   {i j}.min(1)[0]
   {j i}.max(0)[0]
   torch.amax({i j}, 1)
   torch.amin({j i}, dim=0)
   {i j}.prod(1)
   {i j k}.sum((1, 2))
   {j k i}.mean((0, 1))
   {i}.cumsum(0)
   torch.cumsum({i}, dim=0)
   {i}.cumprod(0)
   torch.sort({i}).values
   {i}.sort(descending=True)[0]
   torch.cummax({i}, 0).values
   torch.logcumsumexp({i}, 0)
   {i} - {i}.mean()
i 1: {i j}.sum(1, keepdim=True)
     {i j}.mean(dim=1, keepdim=True)
     {i j}.amax(1, keepdim=True)
1 i: {j i}.sum(0, keepdim=True)
     {j i}.mean(0, keepdim=True)
i j: {i j k}.sum(-1)
     {i j k}.mean(2)
     {k i j}.sum(0)
     {i k j}.max(1).values
     {i j}.cumsum({=0|1})
     {i j} - {i j}.mean(0)
     {i j} - {i j}.mean(1, keepdim=True)
     {i j} / {i j}.exp().sum(1, keepdim=True)
     torch.cumsum({i j}, dim=-1)
     torch.sort({i j}, dim=1).values
"""

SOFTMAX = """
: torch.logsumexp({i}, 0)
  torch.logsumexp({i j}, dim=1).sum()
  torch.log(torch.exp({i}).sum())
  torch.softmax({i}, 0) @ {i}
  -torch.log_softmax({i}, dim=0)[{=0|1|-1}]
  -(torch.softmax({i}, 0) * torch.log_softmax({i}, 0)).sum()
  {i}.logsumexp(dim=-1)
  (torch.softmax({i j}, 1) * {i j}).sum()
  {i}.max() + torch.log(torch.exp({i} - {i}.max()).sum())
  torch.logsumexp({i j}, (0, 1))
i: torch.softmax({i}, dim=0)
   F.softmax({i}, dim=-1)
   {i}.softmax(0)
   F.log_softmax({i}, dim=0)
   torch.logsumexp({i j}, dim=1)
   torch.exp({i}) / torch.exp({i}).sum()
   {i} - torch.logsumexp({i}, 0)
   torch.softmax({i j} @ {j} / {#j} ** 0.5, 0)
   F.softmin({i}, dim=0)
i j: torch.softmax({i j}, dim={=0|1|-1})
     F.log_softmax({i j}, 1)
     {i j}.softmax(-1)
     torch.softmax({i k} @ {j k}.T / {#k} ** 0.5, dim=-1)
     torch.softmax({i k} @ {l k}.T / math.sqrt({#k}), dim=-1) @ {l j}
     F.scaled_dot_product_attention({i k}, {l k}, {l j})
     {i j} - {i j}.logsumexp(1, keepdim=True)
"""

NORMS = """
: torch.norm({i})
  {i}.norm()
  torch.linalg.norm({i})
  torch.norm({i} - {i})
  torch.linalg.norm({i j})
  torch.norm({i j}, p='fro')
  torch.linalg.norm({i j}, 'fro') ** 2
  torch.norm({i}) ** 2
  {i}.norm(p=1)
  torch.linalg.vector_norm({i}, ord={=3|4|1|2})
  torch.linalg.norm({i}, float('inf'))
  torch.sqrt(torch.sum({i} ** 2) + {=1e-6|1e-3})
  torch.linalg.matrix_norm({i j}, 'nuc')
  torch.linalg.norm({i j}, 2)
  torch.linalg.norm({i j}, {=1|float('inf')})
  torch.dist({i}, {i})
  {i 1}.norm()
  {i j}.norm(dim=1).sum()
i: {i j}.norm(dim=1)
   torch.linalg.norm({i j}, dim=1)
   torch.linalg.vector_norm({j i}, dim=0)
   torch.norm({i j}, p=2, dim=1)
   {i} / torch.norm({i})
   {i} / {i !}.norm()
   F.normalize({i}, dim=0)
   torch.sqrt(({i j} ** 2).sum(1) + 1e-3)
   F.pairwise_distance({i j}, {i j})
   F.cosine_similarity({i j}, {i j}, dim=1)
i j: F.normalize({i j}, dim={=0|1})
     {i j} / {i j}.norm(dim=1, keepdim=True)
     torch.cdist({i k}, {j k})
     {i j} / torch.linalg.norm({i j})
"""

LINEAR_ALGEBRA = """
: torch.logdet({pd i})
  torch.linalg.slogdet({pd i})[1]
  torch.linalg.slogdet({inv i}).logabsdet
  torch.det({inv i})
  {inv i}.det()
  torch.log(torch.linalg.det({pd i}))
  {i} @ torch.linalg.solve({pd i}, {i})
  {i} @ torch.linalg.inv({pd i}) @ {i}
  torch.trace(torch.linalg.inv({pd i}) @ {i i})
  torch.trace({inv i}.inverse())
  2 * torch.log(torch.diagonal(torch.linalg.cholesky({pd i}))).sum()
  torch.linalg.eigvalsh({pd i})[-1]
  torch.linalg.eigvalsh({pd i}).log().sum()
  torch.linalg.svdvals({i j}).sum()
  torch.trace(torch.linalg.matrix_exp({i i} / {#i}))
i: torch.linalg.solve({pd i}, {i})
   torch.linalg.solve({inv i}, {i})
   torch.linalg.inv({inv i}) @ {i}
   {inv i}.inverse() @ {i}
   torch.linalg.lstsq({pd i}, {i 1}).solution[:, 0]
   torch.linalg.inv({j i}.T @ {j i} + {=0.1|1|0.5} * torch.eye({#i})) @ {j i}.T @ {j}
   torch.linalg.solve({i j} @ {i j}.T + torch.eye({#i}), {i})
   torch.linalg.eigvalsh({pd i})
   torch.cholesky_solve({i 1}, torch.linalg.cholesky({pd i})).squeeze(1)
   torch.linalg.solve_triangular(torch.linalg.cholesky({pd i}), {i 1}, upper=False)[:, 0]
   torch.linalg.svdvals({pd i})
i 1: torch.linalg.solve({inv i}, {i 1})
     torch.linalg.inv({inv i}) @ {i 1}
i i: torch.linalg.inv({inv i})
     torch.inverse({pd i})
     torch.linalg.cholesky({pd i})
     torch.linalg.solve({inv i}, {i i})
     torch.linalg.matrix_exp({i i} / {#i})
     {i i} @ torch.linalg.inv({pd i})
i j: torch.linalg.solve({pd i}, {i j})
     torch.linalg.inv({inv i}) @ {i j}
     torch.linalg.solve({pd j}, {i j}.T).T
     {i j} @ torch.linalg.inv({pd j})
"""

INDEXING = """
: {i}[{=0|1|-1}]
  {i}[{=0|1|-1}]
  {i j}[{=0|1|-1}, {=0|1|-1}]
  {i j}[0].sum()
  {i j}[:, {=0|-1}] @ {i}
  {i}[1:].sum()
  ({i}[1:] - {i}[:-1]).pow(2).sum()
  ({i}[1:] * {i}[:-1]).sum()
  torch.diff({i}).abs().sum()
  ({i j}[:, 1:] - {i j}[:, :-1]).abs().mean()
  {i}[:2].prod()
  {i}[::2].sum()
  {i}[{binary i} > 0.5].sum()
  {i j}[torch.arange({#i}), {labels i<j}].sum()
  {i}[{labels j<i}] @ {j}
  {i j}.gather(1, {labels i<j}[:, None]).sum()
  torch.triu({i i}).sum()
  {i i}[torch.triu_indices({#i}, {#i}, 1)[0], torch.triu_indices({#i}, {#i}, 1)[1]].sum()
i: {j i}[{=0|1|-1}]
   {i j}[:, {=0|1|-1}]
   {i j k}[:, 0, 1]
   {i}.flip(0)
   torch.flip({i}, dims=[0])
   torch.roll({i}, 1)
   torch.roll({i}, 1) - {i}
   {i}[torch.arange({#i} - 1, -1, -1)]
   torch.cat([{i}[1:], {i}[:1]])
   {i j}[torch.arange({#i}), {labels i<j}]
   {j}[{labels i<j}]
   {j i}.index_select(0, {labels k<j}).sum(0)
   F.one_hot({labels i<j}, {#j}).double() @ {j}
   torch.take_along_dim({i j}, {labels i<j}[:, None], 1)[:, 0]
   torch.zeros({#i}).index_add(0, {labels j<i}, {j})
   torch.where(torch.arange({#i}) > 0, {i}, {=0.0|1.0})
i-1: {i}[1:]
     {i}[:-1]
     torch.diff({i})
     {i}[1:] - {i}[:-1]
i-1 j: {i j}[1:]
       torch.diff({i j}, dim=0)
j i-1: {j i}[:, 1:]
       {j i}[:, :-1] + {j i}[:, 1:]
i 1: {i j}[:, :1]
     {i j}[:, [1]]
1 i: {j i}[:1]
     {j i}[-1:]
i j: {i j k}[:, :, {=0|-1}]
     {k i j}[1]
     {j i}.T.flip(0)
     torch.triu({i j})
     torch.tril({i j}, -1)
     {i j}.flip(1)
     torch.roll({i j}, 1, dims={=0|1})
     {k j}[{labels i<k}]
     {i j}.masked_fill({binary i j} > 0.5, 0.0)
i i: {i i}.triu()
     torch.tril({i i}) + torch.tril({i i}, -1).T
     {i i} - torch.diag({i i}.diagonal())
     {i i} * (1 - torch.eye({#i}))
     {i i}.masked_fill(torch.tril(torch.ones({#i}, {#i})) == 0, 0.0)
i j k: {i j}[:, :, None] * {k}
       {i k}[:, None, :] - {j k}[None, :, :]
       {i j}.unsqueeze(2) + {k}
"""

SHAPING = """
: {i 1}.squeeze()[{=0|1}]
  {i j}.reshape(-1) @ {i j}.flatten()
  {1 1}.squeeze()
  {1 1}.sum()
  torch.stack([{}, {}, {}]).sum()
  torch.stack([{}, {}]).norm()
  torch.kron({i}, {j}).sum()
i: {i 1}.squeeze(1)
   {i 1}.flatten()
   {i 1}[:, 0]
   {1 i}.reshape(-1)
   {i i}.diagonal()
   torch.diag({i i})
   torch.stack([{i}, {i}]).sum(0)
   torch.stack([{i}, {i}], dim=1).max(1).values
   torch.stack(({i}, {i}, {i}), 0).mean(0)
   torch.ones({#i}) - {i}
   {}.expand({#i}) * {i}
   {i} * torch.arange({#i})
   {i} + torch.linspace(0, 1, {#i})
2: torch.stack([{}, {}])
   torch.stack(({}, {}))
   torch.cat([{}.reshape(1), {}.view(1)])
3: torch.stack([{}, {}, {}])
   torch.linalg.cross({3}, {3})
2 2: torch.stack([torch.stack([{}, {}]), torch.stack([{}, {}])])
     torch.stack([torch.stack([torch.cos({}), -torch.sin({})]), torch.stack([torch.sin({}), torch.cos({})])])
i+1: torch.cat([{i}, torch.ones(1)])
     torch.cat([{}.reshape(1), {i}])
     F.pad({i}, (1, 0))
i j+1: torch.cat([{i j}, torch.ones({#i}, 1)], dim=1)
       torch.cat([{i 1}, {i j}], 1)
       torch.column_stack([{i}, {i j}])
i+1 j: torch.cat([{1 j}, {i j}])
       torch.vstack([{i j}, {j}])
2*i: torch.cat([{i}, {i}])
     {i}.repeat(2)
     torch.hstack([{i}, {i}])
j 2*i: torch.cat([{j i}, {j i}], dim=1)
       torch.hstack((torch.sin({j i}), torch.cos({j i})))
2*i j: torch.cat([{i j}, {i j}])
       torch.vstack([{i j}, {i j}])
i+j: torch.cat([{i}, {j}])
     torch.cat(({i}, {j}), dim=0)
i+j k: torch.cat([{i k}, {j k}])
       torch.cat([{i k}, {j k}], dim=0)
k i+j: torch.cat([{k i}, {k j}], dim=1)
i*j: {i j}.flatten()
     {i j}.reshape(-1)
     {i j}.T.reshape(-1)
     {i j}.view(-1)
     torch.kron({i}, {j})
i 1: {i}.unsqueeze(1)
     {i}[:, None]
     {i}.view(-1, 1)
     {1 i}.T
     {i}.reshape({#i}, 1)
1 i: {i}[None]
     {i}.unsqueeze(0)
     {i 1}.T
     {i}.reshape(1, -1)
i j: {j i}.T
     {j i}.t()
     {j i}.mT
     {j i}.transpose(0, 1)
     {j i}.permute(1, 0)
     {i}[:, None].expand({#i}, {#j}) * {i j}
     {i}.repeat({#j}, 1).T
     {i j k}.transpose(1, 2).mean(1)
i 2: torch.stack([{i}, {i}], dim=1)
     torch.stack([torch.cos({i}), torch.sin({i})], -1)
2 i: torch.stack([{i}, {i}])
     torch.vstack((torch.sin({i}), {i}))
i i: torch.diag({i})
     {i i} + torch.diag({i})
     {i i} + {=1|0.1|2} * torch.eye({#i})
     {i i} + {i i}.T
     torch.diag_embed({i})
     {} * torch.eye({#i})
     torch.eye({#i}) - {i i}
     torch.eye({#i}) - torch.outer({i}, {i}) / ({i !} @ {i !})
     {i i} - torch.ones({#i}, {#i}) / {#i}
i j k: {i k j}.transpose(1, 2)
       {j i k}.permute(1, 0, 2)
       torch.stack([{j k}] * {#i}) * {i 1 1}
i 1 1: {i}.view(-1, 1, 1)
       {i}[:, None, None]
i 1 j: {i j}[:, None]
       {i j}.unsqueeze(1)
1 i j: {i j}[None]
1 1: {}.reshape(1, 1)
     {}.view(1, 1)
1: {}.reshape(1)
   {i}[:1]
"""

LOSSES = """
: F.mse_loss({i}, {i})
  F.mse_loss({i j}, {i j})
  F.mse_loss({i}, {i}, reduction='sum')
  ((({i} - {i})) ** 2).mean()
  0.5 * (({i} - {i}) ** 2).sum()
  F.l1_loss({i}, {i})
  F.smooth_l1_loss({i}, {i})
  F.smooth_l1_loss({i j}, {i j}, beta=0.5)
  F.huber_loss({i}, {i}, delta={=0.5|1.5})
  F.binary_cross_entropy_with_logits({i}, {unit i})
  F.binary_cross_entropy(torch.sigmoid({i}), {unit i})
  -({binary i} * F.logsigmoid({i}) + (1 - {binary i}) * F.logsigmoid(-{i})).mean()
  F.cross_entropy({i j}, {labels i<j})
  F.cross_entropy({i j}, {labels i<j}, reduction='sum')
  F.cross_entropy({i j}, {labels i<j}, label_smoothing=0.1)
  F.cross_entropy({i j}, torch.softmax({i j}, 1))
  F.nll_loss(F.log_softmax({i j}, dim=1), {labels i<j})
  F.kl_div(F.log_softmax({i}, dim=0), torch.softmax({i}, 0), reduction='sum')
  F.kl_div(F.log_softmax({i j}, 1), torch.softmax({i j}, 1), reduction='batchmean')
  ({i +} * torch.log({i +} / {i +})).sum()
  F.relu(1 - {signs i} * {i}).mean()
  torch.clamp(1 - {signs i} * {i}, min=0).sum()
  torch.log(1 + torch.exp(-{signs i} * {i})).sum()
  F.cosine_similarity({i}, {i}, dim=0)
  1 - F.cosine_similarity({i j}, {i j}).mean()
  F.poisson_nll_loss({i}, {i +})
  F.gaussian_nll_loss({i}, {i}, {i +})
  F.triplet_margin_loss({i j}, {i j}, {i j})
  ({i} - {i}).abs().mean()
  ({i j} @ {j} - {i}).pow(2).mean() + {=0.1|0.5} * {j !}.pow(2).sum()
  (({i j} @ {j} - {i}) ** 2).sum() / (2 * {#i})
  torch.mean(({i} - torch.sigmoid({i j} @ {j})) ** 2)
  torch.nn.MSELoss()({i}, {i})
  torch.nn.functional.softplus(-{signs i} * ({i j} @ {j})).mean()
  torch.distributions.Normal({i}, {i +}).log_prob({i}).sum()
  -torch.log(torch.softmax({i j}, 1)[torch.arange({#i}), {labels i<j}]).mean()
  ((({i} - {i}).abs() - 0.5).relu() ** 2).sum()
  torch.maximum({=0.3|0.8} * ({i} - {i}), -0.2 * {i}).mean()
i: F.mse_loss({i}, {i}, reduction='none')
   F.binary_cross_entropy_with_logits({i}, {binary i}, reduction='none')
   F.cross_entropy({i j}, {labels i<j}, reduction='none')
   F.layer_norm({i}, ({#i},))
   F.huber_loss({i}, {i}, reduction='none')
   F.kl_div(torch.log({i +}), {i +}, reduction='none')
   F.cosine_similarity({i j}, {j}[None], dim=1)
   F.prelu({i}, {1})
i j: F.layer_norm({i j}, ({#j},))
     F.layer_norm({i j}, ({#j},), {j}, {j})
     F.mse_loss({i j}, {i j}, reduction='none')
     F.glu(torch.cat([{i j}, {i j}], 1))
     F.rms_norm({i j}, ({#j},))
"""

BLOCKS = """
: $s = 0.0
  for $i in range({#i}):
      $s = $s + {each i}
  $s

  $s = torch.zeros(())
  for $i in range({#i}):
      $s += {each i}
  $s / {#i}

  $s = 0
  for $i in range({#i}):
      for $j in range({#j}):
          $s += {i !}[$i] * {i j !}[$i, $j] * {j !}[$j]
  $s

  $s = 0.0
  for $i in range({#i}):
      for $j in range($i):
          $s = $s + {i !}[$i] * {i !}[$j]
  $s

  $s = 0.0
  for $i in range({#i} - 1):
      $s = $s + ({i !}[$i + 1] - {i !}[$i]) ** 2
  $s

  $s = 0.0
  for $a, $b in zip({i !}, {i !}):
      $s = $s + torch.tanh($a * $b)
  $s

  $s = 0.0
  for $row in {i j !}:
      $s = $s + torch.norm($row)
  $s

  $s = 0.0
  for $row, $y in zip({i j !}, {i !}):
      $s = $s + ($row @ {j !} - $y) ** 2
  $s

  $z = {i}
  $y = {i}
  {=0.5|1} * ($z - $y) @ ($z - $y)

  $d = {i} - {i}
  $d @ {i i} @ $d

  $z = {i j} @ {j} - {i}
  torch.sum($z ** 2) + {=0.1|0.01} * torch.sum({j !} ** 2)

  sum({each i} for $i in range({#i}))

  sum([{each i} for $i in range({#i})]) / {#i}

  torch.stack([{each i} for $i in range({#i})]).max()

  $s = 1.0
  for $i in range({#i}):
      $s = $s * (1 + 0.1 * {i !}[$i])
  $s

  $u = {i}
  $v = {i}
  $u @ $v / ($u.norm() * $v.norm())

  $a, $b, $c = {3}
  $a * $b + torch.sin($c)

  $x, $y = {2 !}
  (1 - $x) ** 2 + 10 * ($y - $x ** 2) ** 2

  $h = torch.tanh({k j} @ {j} + {k})
  $o = {k} @ $h
  $o

  $x = {i j}
  $c = $x - $x.mean(0)
  torch.trace($c.T @ $c / ({#i} - 1))

  $p = torch.sigmoid({i j} @ {j})
  -(({binary i}) * torch.log($p) + (1 - {binary i}) * torch.log(1 - $p)).mean()

  $mu = {i !}.mean()
  (({i !} - $mu) ** 3).mean()

*: $z = {*}.clone()
   $z += {*}
   $z

   $z = {*}.clone()
   $z *= {=2|0.5}
   $z -= {*}
   $z

   $z = {*}.clone()
   $z.mul_({*}).add_({=1|0.3})
   $z

   def $g($v):
       return $v * torch.sigmoid($v)
   $g({*})

   def $g($v, $w=0.5):
       $v = $v + $w
       return $v ** 2
   $g({*}) + {*}

   $g = lambda $v: torch.exp(-$v ** 2 / 2)
   $g({*})

   $z = {*}
   for $k in range({=2|3}):
       $z = torch.tanh($z + {* !})
   $z

   $z = {*}
   if $z.dim() < 5:
       $z = 2 * $z
   $z

   $z = {*}
   $z * $z.detach()

i: $z = torch.zeros({#i})
   for $i in range({#i}):
       $z[$i] = {each i}
   $z

   $z = {i}.clone()
   $z[{=0|-1}] = {}
   $z

   $z = {i}.clone()
   $z[1:] += {i}[:-1]
   $z

   $z = {i}.clone()
   $z[{=1|0}] *= {=2|3}
   $z

   $z = torch.zeros_like({i !})
   $z[:-1] = {i}[1:] ** 2
   $z

   torch.stack([{each i} for $i in range({#i})])

   $l = []
   for $i in range({#i}):
       $l.append({each i})
   torch.stack($l)

   torch.stack([$row @ {j !} for $row in {i j !}])

   torch.stack([$row.norm() for $row in {i j}])

   $h = {i}
   for $k in range({=2|3}):
       $h = torch.tanh({i i !} @ $h + {i !})
   $h

   $h = F.relu({k j} @ {j} + {k})
   {i k} @ $h

   $z = {i}
   ($z - $z.mean()) / $z.std()

   $z = {i}
   ($z - $z.mean()) / torch.sqrt($z.var(unbiased=False) + 1e-5)

   $z = {i}
   $e = torch.exp($z - $z.max())
   $e / $e.sum()

   $z = {i}.clone()
   for $i in range(1, {#i}):
       $z[$i] = $z[$i] + {i !}[$i - 1]
   $z

   $w = torch.softmax({i j} @ {j}, 0)
   $w * {i}

   $w = torch.softmax({k j} @ {j}, 0)
   $w @ {k i}

i j: $z = {i j}.clone()
     $z[{=0|-1}] = {j}
     $z

     $z = {i j}.clone()
     $z[:, {=0|1}] *= {=2|-1}
     $z

     $z = torch.zeros({#i}, {#j})
     for $i in range({#i}):
         for $j in range({#j}):
             $z[$i, $j] = torch.sin({i !}[$i]) * {j !}[$j]
     $z

     torch.stack([{i !}[$i] * {j} for $i in range({#i})])

     $x = {i j}
     ($x - $x.mean(0)) / $x.std(0)

     $x = {i j}
     $x / $x.sum(1, keepdim=True).abs().add(1)

     $d = {i k}[:, None, :] - {j k}[None, :, :]
     torch.exp(-($d ** 2).sum(-1) / 2)

     $z = torch.zeros({#i}, {#j})
     $z += {i j}
     $z

i i: $x = {i j}
     $c = $x - $x.mean(1, keepdim=True)
     $c @ $c.T / {#j}

     $z = {i i !}
     ($z + $z.T) / 2

     $x = {i}
     $x[:, None] - $x[None, :]

     $x = {i j !}
     $s = ($x ** 2).sum(1)
     $s[:, None] + $s[None, :] - 2 * $x @ $x.T
"""

LEAVES = """
: {i !}[{=0|1|-1}]
  {i j !}[{=0|1}, {=0|-1}]
  {i !}.sum()
  {i !} @ {i !}
  {i j !}.mean()
i: {j i !}[{=0|1|-1}]
   {i j !}[:, {=0|1}]
   {i j !}.sum(1)
   {j i !}.mean(0)
   {i 1 !}.squeeze(1)
   {1 i !}[0]
   {i i !}.diagonal()
   torch.ones({#i})
1: {}.reshape(1)
i 1: {i !}[:, None]
     {i !}.unsqueeze(-1)
     {i j !}.sum(1, keepdim=True)
     {i j !} @ {j 1 !}
1 i: {i !}[None, :]
     {i !}.reshape(1, -1)
     {i 1 !}.T
1 1: {}.reshape(1, 1)
     {i 1 !}.T @ {i 1 !}
i j: {j i !}.T
     torch.outer({i !}, {j !})
     {i !}[:, None] * {j !}
     {i !}[:, None] + {j !}[None, :]
     {i k !} @ {k j !}
i i: torch.diag({i !})
     torch.eye({#i})
     {i !}[:, None] - {i !}
     {i j !} @ {i j !}.T
i j k: {i j !}[:, :, None] * {k !}
       {i !}[:, None, None] + {j k !}
"""

EACH = """
: {i !}[$i]
  {i !}[$i] ** 2
  {i !}[$i] * {i !}[$i]
  {i !}[$i] * {i j !}[$i].sum()
  {i j !}[$i] @ {j !}
  ({i j !}[$i] @ {j !} - {i !}[$i]) ** 2
  {j i !}[:, $i] @ {j !}
  torch.exp(-{i !}[$i])
  torch.tanh({i !}[$i]) * {}
  ({i !}[$i] - {}) ** 2
  {i !}[$i] * {i i !}[$i, $i]
  torch.norm({i j !}[$i] - {j !})
  torch.log(1 + {i !}[$i] ** 2)
  {i j !}[$i, 0] * {i !}[$i]
  {i j !}[$i].max()
  ($i + 1) * {i !}[$i]
  F.softplus({i !}[$i] * {j !} @ {j !})
"""

PD = """
: $a = {i j}
  $a @ $a.T + torch.eye({#i})

  $a = {j i}
  $a.T @ $a + {=0.5|1|2} * torch.eye({#i})

  $v = {i}
  torch.eye({#i}) + torch.outer($v, $v)

  torch.diag({i +})

  $a = {i j}
  $a @ torch.diag({j +}) @ $a.T + torch.eye({#i})

  $x = {i}
  torch.exp(-($x[:, None] - $x[None, :]) ** 2 / 2) + {=0.1|0.5} * torch.eye({#i})

  $x = {i j}
  $c = $x - $x.mean(1, keepdim=True)
  $c @ $c.T / {#j} + 0.1 * torch.eye({#i})
"""

INV = """
: torch.eye({#i}) + 0.1 * torch.tanh({i i})
  {i i} / (4 * {#i}) + {=2|1.5} * torch.eye({#i})
  torch.diag({i +}) + 0.1 * torch.tril(torch.tanh({i i}), -1)
"""

CATEGORIES = {  # how often each is chosen
    "arithmetic": (ARITHMETIC, 3.0),
    "elementwise": (ELEMENTWISE, 3.0),
    "products": (PRODUCTS, 4.0),
    "einsum": (EINSUM, 0.7),
    "reductions": (REDUCTIONS, 2.0),
    "softmax": (SOFTMAX, 1.0),
    "norms": (NORMS, 1.0),
    "linear algebra": (LINEAR_ALGEBRA, 1.0),
    "indexing": (INDEXING, 1.2),
    "shaping": (SHAPING, 1.2),
    "losses": (LOSSES, 1.5),
    "blocks": (BLOCKS, 1.5),
}


@dataclass(frozen=True)
class Row:
    """Code with holes, and the shape that it has."""

    shape: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def holes(self) -> list[str]:
        return re.findall(r"\{([^{}]*)\}", "\n".join(self.lines))


@cache
def rows(table: str) -> tuple[Row, ...]:
    """The rows of a table; a blank line stands between those of several lines."""
    found, shape, start = [], "", 0
    blocks = re.search(r"\n\s*\n", table.strip("\n")) is not None
    pieces: list[tuple[str, list[str]]] = []
    for line in table.strip("\n").splitlines():
        head = re.match(r"([*ijkl0-9+\- ]*): ", line)
        if head and line[0] != " ":
            shape, start = head[1].strip(), head.end()
            pieces.append((shape, []))
        elif not line.strip() or not blocks:
            pieces.append((shape, []))
        if line.strip():
            pieces[-1][1].append(line[start:])
    for own, lines in pieces:
        if lines:
            found.append(Row(tuple(own.split()), tuple(lines)))
    return tuple(found)


# ---- functions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RandomFunction:
    """Source of a function f, what its arguments are, and what is asked of it."""

    source: str
    shapes: Mapping[str, Shape]
    assume: Mapping[str, str]
    result: Shape
    order: int = 1
    wrt: tuple[str, ...] = ()

    @property
    def letters(self) -> list[str]:
        return [s for s in ("n", "m", "d") if any(s in shape for shape in self.shapes.values())]

    @property
    def variables(self) -> list[str]:
        """The arguments to differentiate by."""
        return [n for n in self.wrt or self.shapes if not self.assume.get(n, "").startswith("index")]

    def __str__(self) -> str:
        shapes = ", ".join(f"{n}: {','.join(map(str, s)) or '()'}" for n, s in self.shapes.items())
        asked = "".join(f"  {n}={p}" for n, p in self.assume.items()) + ("  order 2" if self.order == 2 else "")
        return f"{self.source}\n# {shapes}{asked}"


class Impossible(Exception):
    """A row that can't be filled here."""


@dataclass
class _State:
    """The arguments and local names so far; copied, so that a row that fails leaves nothing behind."""

    arguments: dict[str, Shape] = field(default_factory=dict)
    assume: dict[str, str] = field(default_factory=dict)
    names: dict[str, Shape] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)  # letters that have a local name

    def copied(self) -> _State:
        return _State(*(copy(getattr(self, f)) for f in ("arguments", "assume", "names", "lines", "sizes")))


class Builder:
    """Makes one function; `choose` is a random.Random."""

    def __init__(self, choose: random.Random, largest: int) -> None:
        self.choose = choose
        self.largest = largest
        self.most = min(largest, 4)  # arguments
        self.state = _State()
        self.columns = choose.random() < 0.2  # whether vectors are mostly columns
        self.named_sizes = choose.random() < 0.5

    # ---- expressions

    def expression(self, shape: Shape, budget: int, positive: bool = False) -> str:
        """Code of this shape, of about this many operations."""
        if budget <= 0:
            return self.leaf(shape, positive)
        for _ in range(12):
            row, bound = self.row(shape, positive)
            before = self.state.copied()
            try:
                code = self.filled(row, bound, shape, budget - 1)
            except Impossible:
                self.state = before
                continue
            if budget >= 2 and self.choose.random() < 0.15 and not positive:
                return self.local(shape, code)
            return code
        return self.leaf(shape, positive)

    def row(self, shape: Shape, positive: bool) -> tuple[Row, dict[str, str | int]]:
        """A row that has this shape, with what its letters stand for."""
        tables = {POSITIVE: 1.0} if positive else dict(CATEGORIES.values())
        known = {table: found for table in tables if (found := fitting(table, shape))}
        if not known:
            raise Impossible
        table = self.choose.choices(list(known), [tables[t] for t in known])[0]
        row, bound = self.choose.choice(known[table])
        return row, dict(bound)

    def local(self, shape: Shape, code: str) -> str:
        """The code under a local name."""
        name = self.fresh(LOCALS)
        self.state.lines.append(f"{name} = {code}")
        self.state.names[name] = shape
        return name

    def filled(self, row: Row, bound: dict[str, str | int], shape: Shape, budget: int) -> str:
        """The row with its holes filled; its statements go into the function."""
        whole = "\n".join(row.lines)
        count = sum(self.is_expression(hole) for hole in row.holes)
        shares = self.shares(budget, count)
        own = () if row in rows(EACH) else dict.fromkeys(re.findall(r"\$(\w+)", whole))
        names = {name: self.fresh(LOCALS, name) for name in own}
        texts: dict[int, str] = {}
        declared: dict[str, str] = {}  # labels and the like are the same wherever a row has them
        for position in sorted(range(len(row.holes)), key=lambda k: row.holes[k].startswith("#")):
            hole = row.holes[position]
            if hole not in declared:
                text = self.hole(hole, bound, shape, shares.pop() if self.is_expression(hole) else 0)
                if hole.startswith(SPECIAL):
                    declared[hole] = text
            texts[position] = declared.get(hole, text)
        filled = iter(texts[k] for k in range(len(row.holes)))
        code = re.sub(r"\{[^{}]*\}", lambda _: next(filled), whole)
        code = re.sub(r"\$(\w+)", lambda m: names.get(m[1], m[0]), code)
        *statements, value = re.split(r"\n(?!\s)", code)
        self.state.lines += statements
        return f"({value})"

    def is_expression(self, hole: str) -> bool:
        return not hole.startswith(("#", "=", *SPECIAL)) and not hole.endswith("!")

    def shares(self, budget: int, count: int) -> list[int]:
        """The budget dealt out at random."""
        found = [0] * count
        for _ in range(budget if count else 0):
            found[self.choose.randrange(count)] += 1
        return found

    def hole(self, hole: str, bound: dict[str, str | int], shape: Shape, budget: int) -> str:
        """What goes into one hole."""
        if hole.startswith("="):
            return self.choose.choice(hole[1:].split("|"))
        if hole.startswith("#"):
            return self.size(self.any_letter() if hole == "#any" else self.bind(hole[1:], bound))
        kind, _, rest = hole.partition(" ")
        if kind == "each":
            bound.setdefault("i", self.some_size())
            return self.of_table(EACH, bound, (), budget)
        if kind == "labels":
            own, _, classes = rest.partition("<")
            return self.special(f"index<{self.bind(classes, bound, literal=True)}", (self.bind(own, bound),))
        if kind in ("signs", "binary", "unit", "simplex"):
            prop = {"unit": "unit-interval"}.get(kind, kind)
            return self.special(prop, shape if rest == "*" else tuple(self.bind(t, bound) for t in rest.split()))
        if kind in ("pd", "inv"):
            return self.matrix(kind, self.bind(rest, bound), budget)
        tokens = hole.split()
        flags = [t for t in tokens if t in ("!", "+")]
        own_shape: Shape = ()
        for token in tokens:
            if token not in flags:
                own_shape += shape if token == "*" else (int(token) if token.isdigit() else self.bind(token, bound),)
        if "!" in flags:
            return self.name(own_shape)
        return self.expression(own_shape, budget, "+" in flags)

    def of_table(self, table: str, bound: dict[str, str | int], shape: Shape, budget: int) -> str:
        """One of the rows of a small table, its letters bound already."""
        for _ in range(8):
            before, own = self.state.copied(), dict(bound)
            try:
                return self.filled(self.choose.choice(rows(table)), own, shape, budget)
            except Impossible:
                self.state = before
        raise Impossible

    def matrix(self, kind: str, size: str | int, budget: int) -> str:
        """A matrix that has an inverse."""
        if not plain(size):
            raise Impossible
        prop = {"pd": "positive-definite", "inv": "invertible"}[kind]
        if self.choose.random() < 0.35:
            return self.special(prop, (size, size))
        code = self.of_table(PD if kind == "pd" else INV, {"i": size}, (size, size), max(budget - 2, 0))
        return self.local((size, size), code) if self.choose.random() < 0.5 else code

    # ---- names

    def leaf(self, shape: Shape, positive: bool = False) -> str:
        """A name of this shape, or something short made of names."""
        if positive:
            known = [n for n, p in self.state.assume.items() if p == "positive" and self.state.arguments[n] == shape]
            if known and self.choose.random() < 0.7:
                return self.choose.choice(known)
            if all(map(plain, shape)) and self.choose.random() < 0.3:
                return self.special("positive", shape)
            row, bound = self.choose.choice([f for f in fitting(POSITIVE, shape) if f[0].shape == ("*",)])
            return self.filled(row, dict(bound), shape, 0)
        if self.choose.random() < 0.9:
            try:
                return self.name(shape)
            except Impossible:
                pass
        short = fitting(LEAVES, shape) or [
            f for t, _ in CATEGORIES.values() for f in fitting(t, shape) if f[0].shape != ("*",)
        ]
        for _ in range(10 if short else 0):
            row, bound = self.choose.choice(short)
            before = self.state.copied()
            try:
                return self.filled(row, dict(bound), shape, 0)
            except Impossible:
                self.state = before
        return self.name(shape)

    def name(self, shape: Shape) -> str:
        """An argument or a local variable of this shape; a new argument where there is none."""
        names = [n for n, own in {**self.state.arguments, **self.state.names}.items() if own == shape]
        names = [n for n in names if not self.state.assume.get(n, "").startswith("index")]
        few = len(self.state.arguments) < (2 if shape == () else self.most)
        if names and (not few or self.choose.random() < 0.8):
            return self.choose.choice(names)
        if not few or not all(map(plain, shape)):
            raise Impossible
        wide = len([s for s in shape if s != 1]) if shape else 0
        name = self.fresh(NAMES[min(wide, 3)])
        self.state.arguments[name] = shape
        if len(shape) == 2 and shape[0] == shape[1] and self.choose.random() < 0.1:
            self.state.assume[name] = "symmetric"
        return name

    def special(self, prop: str, shape: Shape) -> str:
        """An argument that is declared to have a property."""
        known = [n for n, p in self.state.assume.items() if p == prop and self.state.arguments[n] == shape]
        if known and self.choose.random() < 0.8:
            return self.choose.choice(known)
        if len(self.state.arguments) > self.most or not all(map(plain, shape)):
            raise Impossible
        name = self.fresh(WORDS[prop.partition("<")[0]])
        self.state.arguments[name] = shape
        self.state.assume[name] = prop
        return name

    def fresh(self, pool: str, like: str = "") -> str:
        """A name that isn't used yet."""
        taken = {*self.state.arguments, *self.state.names, *RESERVED}
        free = [name for name in ([like] if like else pool.split()) if name not in taken]
        if not free:
            free = [name for k in range(1, 20) if (name := f"{(like or pool.split()[0])}{k}") not in taken]
        name = self.choose.choice(free[:4] if not like else free[:1])
        if like:
            self.state.names[name] = ("taken",)
        return name

    # ---- sizes

    def bind(self, letter: str, bound: dict[str, str | int], literal: bool = False) -> str | int:
        """What a letter of a row stands for; chosen where it is still free."""
        if letter.isdigit():
            return int(letter)
        if letter not in bound:
            bound[letter] = self.some_size()
        if literal and not plain(bound[letter]):
            raise Impossible
        return bound[letter]

    def some_size(self) -> str | int:
        if self.choose.random() < 0.04:
            return self.choose.choice(DERIVED)
        return self.choose.choices(list(SIZES), list(SIZES.values()))[0]

    def any_letter(self) -> str:
        known = [s for s in ("n", "m", "d") if any(s in shape for shape in self.state.arguments.values())]
        if not known:
            raise Impossible
        return self.choose.choice(known)

    def size(self, size: str | int) -> str:
        """A size in code: n, x.shape[0], len(x), a number."""
        if isinstance(size, int):
            return str(size)
        return "(" + re.sub(r"[nmd]", lambda m: self.letter(m[0]), size) + ")"

    def letter(self, letter: str) -> str:
        places = [(n, k) for n, shape in self.state.arguments.items() for k, s in enumerate(shape) if s == letter]
        if not places:
            raise Impossible
        if self.named_sizes:
            self.state.sizes[letter] = letter
            return letter
        name, k = self.choose.choice(places)
        shape = self.state.arguments[name]
        ways = [f"{name}.shape[{k}]", f"{name}.size({k})"]
        ways += [f"len({name})"] * 2 if k == 0 else []
        ways += [f"{name}.numel()"] if len(shape) == 1 else []
        ways += [f"{name}.shape[-1]"] if k == len(shape) - 1 else []
        return self.choose.choice(ways)

    def headers(self) -> Iterator[str]:
        """Lines that give sizes their names."""
        done: set[str] = set()
        for letter in self.state.sizes:
            if letter in done:
                continue
            places = [(n, s) for n, s in self.state.arguments.items() if letter in s]
            name, shape = self.choose.choice(places)
            apart = len(set(shape)) == len(shape) and all(isinstance(s, str) for s in shape) and not done & set(shape)
            if len(shape) > 1 and apart and self.choose.random() < 0.6:
                yield f"{', '.join(map(str, shape))} = {name}.shape"
                done |= {str(s) for s in shape}
            else:
                at = shape.index(letter)
                yield f"{letter} = " + (
                    f"len({name})" if at == 0 and self.choose.random() < 0.4 else f"{name}.shape[{at}]"
                )
                done.add(letter)

    # ---- the function

    def build(self) -> RandomFunction | None:
        """A function; None where nothing came of it."""
        shape: Shape = self.choose.choices(
            [
                (),
                ("n",),
                ("m",),
                ("m", "n"),
                ("n", "n"),
                ("n", 1),
                (1, 1),
                (2,),
                (3,),
                ("n", 2),
                ("m", "n", "d"),
                ("n-1",),
                (1,),
                (1, "n"),
            ],
            [55, 9, 7, 6, 4, 5, 1.5, 1, 0.7, 0.7, 0.5, 0.8, 0.5, 0.7],
        )[0]
        if self.columns and shape == ("n",):
            shape = ("n", 1)
        budget = self.choose.choice([b for b in (2, 3, 3, 4, 4, 5, 6, 7) if b <= self.largest])
        order = 2 if shape == () and budget < 5 and self.choose.random() < 0.2 else 1
        try:
            value = self.expression(shape, budget)
        except Impossible:
            return None
        source = "\n".join([*self.headers(), *self.state.lines, f"return {value}"])
        arguments = list(self.state.arguments)
        if not arguments:
            return None
        body = "\n".join("    " + line for line in source.splitlines())
        text = ast.unparse(ast.parse(f"def f({', '.join(arguments)}):\n{body}"))
        used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        unused = [name for name in arguments if name not in used]
        kept = {n: s for n, s in self.state.arguments.items() if n not in unused}
        text = text.replace(f"def f({', '.join(arguments)})", f"def f({', '.join(kept)})", 1)
        assume = {n: p for n, p in self.state.assume.items() if n in kept}
        made = RandomFunction(text, kept, assume, shape, order)
        if not made.variables or not all(has_letter(p, kept) for p in assume.values()):
            return None
        if order == 2:
            return RandomFunction(text, kept, assume, shape, 2, (self.choose.choice(made.variables),))
        return made


SPECIAL = ("labels", "signs", "binary", "unit", "simplex")
RESERVED = {"n", "m", "d", "f", "torch", "F", "math", *keyword.kwlist}


def has_letter(prop: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether the classes of labels are a size of some argument."""
    bound = prop.partition("<")[2]
    return not bound or bound.isdigit() or any(bound in shape for shape in shapes.values())


def plain(size: str | int) -> bool:
    """Whether an argument can have this size."""
    return isinstance(size, int) or size in ("n", "m", "d")


@cache
def fitting(table: str, shape: Shape) -> list[tuple[Row, tuple[tuple[str, str | int], ...]]]:
    """The rows of a table that have this shape, with what their letters stand for."""
    found = []
    for row in rows(table):
        bound = matched(row.shape, shape)
        if bound is not None:
            found.append((row, tuple(bound.items())))
    return found


def matched(pattern: Sequence[str], shape: Shape) -> dict[str, str | int] | None:
    """What the letters of a row's shape stand for; None where it has another shape."""
    if pattern == ("*",):
        return {}
    if len(pattern) != len(shape):
        return None
    bound: dict[str, str | int] = {}
    for token, size in zip(pattern, shape, strict=True):
        if token.isdigit():
            if size != int(token):
                return None
        elif len(token) == 1:
            if size == 1 or bound.setdefault(token, size) != size:
                return None
        else:
            form = re.sub("[ijkl]", "([nmd])", token.replace("*", r"\*").replace("+", r"\+"))
            own = re.fullmatch(form, str(size))
            if own is None:
                return None
            for letter, found in zip(re.findall("[ijkl]", token), own.groups(), strict=True):
                if bound.setdefault(letter, found) != found:
                    return None
    return bound


def build(choose: random.Random, largest: int = 7) -> RandomFunction:
    """A random function, of about so many operations at most, each with what it needs."""
    while True:
        made = Builder(choose, largest).build()
        if made is not None:
            return made
