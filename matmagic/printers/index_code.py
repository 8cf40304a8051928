"""An expression as torch code without notation: sums of products as torch.einsum over the function's arguments.

The last resort where there is no matrix form, so it covers every node.  The value has the node's axes, each once, in
order.  In a long one, parts that are used twice or are long get a name, `(v1 := …, … v1 …)[-1]`, so that the code stays one
expression of about the size of the graph.  It is meant to be run with float64 as default dtype.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from string import ascii_letters

from ..expr import (
    Basis,
    Call,
    Delta,
    Elementwise,
    Labels,
    Leaf,
    Node,
    Number,
    OneHot,
    Power,
    Product,
    Range,
    Selection,
    SizeOf,
    Sum,
    Triangle,
)
from ..functions import code_of
from ..lengths import Size
from ..matrix_functions import FUNCTIONS_OF_MATRICES
from ..notation import INDICES
from ..places import steps
from ..walk import children, ordered, written_size
from .torch_forms import TRUTH, typed
from .torch_parts import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Axes,
    Piece,
    Shapes,
    number_code,
    position_code,
    size_code,
    slice_code,
)

PLAIN_SIZE, PLAIN = 300, 1500  # nodes and characters of code that needs no names
SHORT, LONG = 40, 400  # characters: longer parts get a name, those used once only where Python's parser minds depth

LETTERS = "".join(dict.fromkeys(INDICES + ascii_letters))


@dataclass(frozen=True)
class _Code(Piece):
    """`number`: a Python number, which torch's functions refuse."""

    number: bool = False

    @property
    def tensor(self) -> str:
        if not self.number:
            return self.text
        product = f"1.0 * {self.at_least(PRODUCT)}"
        return f"torch.tensor({f'{self.text}.0' if self.text.lstrip('-').isdigit() else product})"


def index_code(node: Node, inputs: Mapping[str, Axes], shapes: Shapes, like: str = "") -> str:
    """The expression; `inputs` gives the axes of each argument, `shapes` its tensor shape.  ValueError without code.

    Tensors that the code makes take dtype and device from the argument `like`, without one the default dtype.

    >>> from matmagic.expr import leaf, product
    >>> x = leaf("x", ("n",))
    >>> index_code(product([(x, (0,)), (x, (1,))], ("n", "n"), (0, 1)), {"x": ((0,),)}, {"x": ("n",)})
    'torch.einsum("i,j->ij", x, x)'
    """
    if written_size(node) < PLAIN_SIZE:
        plain = _Writer(inputs, shapes, like)
        for part in ordered(node):
            plain.known[part] = plain.code(part)
        if len(plain.known[node].tensor) <= PLAIN:
            return typed(plain.known[node].tensor, like)
    writer = _Writer(inputs, shapes, like)
    uses = Counter(child for part in ordered(node) for child in children(part))
    for part in ordered(node):
        code = writer.code(part)
        long = len(code.text) > (SHORT if uses[part] > 1 else LONG)
        writer.known[part] = writer.named(code) if long and part is not node else code
    whole = writer.known[node].tensor
    return typed(f"({', '.join([*writer.lines, whole])})[-1]" if writer.lines else whole, like)


class _Writer:
    def __init__(self, inputs: Mapping[str, Axes], shapes: Shapes, like: str) -> None:
        self.inputs, self.shapes, self.like = inputs, shapes, like
        self.known: dict[Node, _Code] = {}
        self.lines: list[str] = []
        self.taken = {steps(name)[0] for name in inputs}
        self.count = 0

    def named(self, code: _Code) -> _Code:
        """The part under a name of its own."""
        self.count += 1
        while f"v{self.count}" in self.taken:
            self.count += 1
        self.lines.append(f"v{self.count} := {code.text}")
        return _Code(f"v{self.count}", ATOM, code.number)

    def sizes(self, shape: Sequence[Size]) -> str:
        return ", ".join(size_code(s, self.shapes).text for s in shape)

    def eye(self, size: Size) -> str:
        own = f"torch.eye({self.sizes((size,))})"
        return f"{own}.to({self.like})" if self.like else own

    def filled(self, kind: str, shape: Sequence[Size]) -> str:
        return f"{self.like}.new_{kind}({self.sizes(shape)})" if self.like else f"torch.{kind}({self.sizes(shape)})"

    def code(self, node: Node) -> _Code:
        match node:
            case Leaf():
                return self.leaf(node)
            case SizeOf(letter=letter):
                size = size_code(letter, self.shapes)
                return _Code(size.text, size.level, number=True)
            case Sum(terms=terms):
                return self.sum(node, terms)
            case Power(base=base, exponent=p):
                return self.power(self.known[base], p)
            case Product():
                return self.product(node)
        return _Code(self.atom(node), ATOM)

    def atom(self, node: Node) -> str:
        """Calls of torch functions."""
        match node:
            case Elementwise(function=function, args=args):
                return code_of(function, [self.known[a].tensor for a in args])
            case Call(function=function, args=args):
                template = FUNCTIONS_OF_MATRICES[function].torch
                if not template:
                    raise ValueError(f"no code for {function}")
                return template.format(*(self.known[a].tensor for a in args))
            case Delta(shape=(size, _)):
                return self.eye(size)
            case Basis(shape=(size,), position=position):
                return f"{self.eye(size)}[{position_code(position, size, self.shapes)}]"
            case Selection():
                return self.selection(node)
            case Triangle(shape=shape, offset=offset):
                return f"torch.triu({self.filled('ones', shape)}{f', {offset}' if offset else ''})"
            case Range(shape=(size,)):
                own = size_code(size, self.shapes)
                text = f"torch.arange({own.text}).to({self.like})" if self.like else None
                return text or f"torch.arange(1.0 * {own.at_least(UNARY)})"
            case OneHot(labels=labels):
                return f"F.one_hot({self.known[labels].at_least(ATOM)}.long(), {self.sizes(node.shape[-1:])}){TRUTH}"
        raise ValueError(f"no code for {type(node).__name__}")

    def leaf(self, node: Leaf) -> _Code:
        """The argument with the axes of its node: those of size 1 gone, flattened ones apart."""
        axes = self.inputs[node.name]
        order = [axis for group in axes for axis in group]
        if any(len(group) > 1 for group in axes):
            text = f"{node.name}.reshape({self.sizes([node.shape[a] for a in order])})"
        else:
            gone = [k for k, group in enumerate(axes) if not group]
            which = "" if not order else str(gone[0]) if len(gone) == 1 else str(tuple(gone))
            text = f"{node.name}.squeeze({which})" if gone else node.name
        turned = [order.index(a) for a in range(len(order))]
        return _Code(text if turned == sorted(turned) else f"{text}.permute({_listed(turned)})", ATOM)

    def selection(self, node: Selection) -> str:
        count, size = node.shape
        unit = self.eye(size)
        part = slice_code(node.start, count, node.step, size, self.shapes)
        if part is not None:
            return f"{unit}[{part}]"
        start, steps = size_code(node.start, self.shapes).text, f"torch.arange({self.sizes((count,))})"
        return f"{unit}[{start} - {steps}]" if node.step == -1 else f"{unit}[{start} + {node.step} * {steps}]"

    # ---- arithmetic

    def sum(self, node: Sum, terms: Sequence[tuple[Number, Node]]) -> _Code:
        """Terms with their signs; a constant as a number that broadcasts, if any other term has the shape."""
        if not terms:
            return _Code(self.filled("zeros", node.shape) if node.shape else "0", ATOM, number=not node.shape)
        alone = len(terms) == 1
        codes = [self.scaled(c, t, alone) for c, t in terms]
        text = codes[0].text
        for code in codes[1:]:
            text += f" - {code.text[1:]}" if code.text.startswith("-") else f" + {code.text}"
        return _Code(text, codes[0].level if alone else SUM, all(c.number for c in codes))

    def scaled(self, coefficient: Number, term: Node, alone: bool) -> _Code:
        constant = isinstance(term, Product) and not term.factors
        times = number_code(coefficient)
        if constant and (not alone or not term.shape):
            return _Code(times.text, times.level, number=True)
        code = self.known[term]
        if abs(coefficient) == 1:
            body = code.at_least(PRODUCT)
            return _Code(body if coefficient == 1 else f"-{body}", PRODUCT, code.number)
        return _Code(f"{times.text} * {code.at_least(UNARY)}", PRODUCT, code.number)

    def power(self, base: _Code, p: Number) -> _Code:
        if p == Fraction(1, 2) and not base.number:
            return _Code(f"torch.sqrt({base.text})", ATOM)
        return _Code(f"{base.at_least(ATOM)} ** {number_code(p).at_least(ATOM)}", POWER, base.number)

    # ---- products

    def product(self, node: Product) -> _Code:
        """Scalars times the einsum of the rest."""
        out = tuple(range(len(node.shape)))
        scalars = [self.known[f] for f, labels in node.factors if not labels]
        parts = [(self.known[f].text, labels) for f, labels in node.factors if labels]
        if not parts and not out:
            factors = scalars or [_Code("1", ATOM, number=True)]
        else:
            factors = [*scalars, self.contracted(node, parts, out)]
        if len(factors) == 1:
            return factors[0]
        text = " * ".join(c.at_least(PRODUCT if k == 0 else UNARY) for k, c in enumerate(factors))
        return _Code(text, PRODUCT, all(c.number for c in factors))

    def contracted(self, node: Product, parts: list[tuple[str, Labels]], out: Labels) -> _Code:
        present = {label for _, labels in parts for label in labels}
        missing = [label for label in out if label not in present]
        if not present:
            return _Code(self.filled("ones", node.shape), ATOM)
        if all(labels == out for _, labels in parts):
            codes = [self.known[f] for f, labels in node.factors if labels]
            text = " * ".join(c.at_least(PRODUCT if k == 0 else UNARY) for k, c in enumerate(codes))
            return _Code(text, PRODUCT)
        if len(parts) == 1 and sorted(parts[0][1]) == list(out):
            (factor,) = (self.known[f] for f, labels in node.factors if labels)
            turned = [parts[0][1].index(label) for label in out]
            return _Code(f"{factor.at_least(ATOM)}{'.T' if turned == [1, 0] else f'.permute({_listed(turned)})'}", ATOM)
        ones = [(self.filled("ones", (node.shape[label],)), (label,)) for label in missing]
        operands = _by_index([*parts, *ones], out)
        tensors = [(text, own) for text, own in operands if own]
        factors = [text for text, own in operands if not own] + ([_einsum(tensors, out)] if tensors else [])
        return _Code(" * ".join(factors), ATOM if len(factors) == 1 else PRODUCT)


Operand = tuple[str, Labels]  # its code and the index of each axis


def _einsum(parts: Sequence[Operand], out: Labels) -> str:
    """The call, which torch contracts from the left; none for one operand as it is."""
    if [own for _, own in parts] == [out]:
        text = parts[0][0]
        return text if text.isidentifier() else f"({text})"
    labels = sorted({label for _, own in parts for label in own})
    if len(labels) > len(LETTERS):
        raise ValueError("more indices than letters")
    letters = dict(zip(labels, LETTERS, strict=False))
    spec = ",".join("".join(letters[label] for label in own) for _, own in parts)
    return f'torch.einsum("{spec}->{"".join(letters[k] for k in out)}", {", ".join(text for text, _ in parts)})'


def _by_index(parts: Sequence[Operand], out: Labels) -> Sequence[Operand]:
    """Fewer operands: index by index is summed in a call of its own, the one that meets the fewest others first, where
    that is less work, or there are too few letters for all."""
    meeting = {label: [own for _, own in parts if label in own] for _, each in parts for label in each}
    inner = sorted(meeting.keys() - set(out))
    if len(parts) < 3 or not inner:
        return parts
    least = min(inner, key=lambda label: len(set().union(*meeting[label])))
    met, others = [p for p in parts if least in p[1]], [p for p in parts if least not in p[1]]
    saves = len(set().union(*meeting[least])) < _widest([own for _, own in parts], out)
    if not others or not (saves or len(meeting) > len(LETTERS)):
        return parts
    later = {label for _, own in others for label in own}.union(out)
    kept = tuple(dict.fromkeys(label for _, own in met for label in own if label in later))
    return _by_index([*others, (_einsum(_by_index(met, kept), kept), kept)], out)


def _widest(parts: Sequence[Labels], out: Labels) -> int:
    """How many indices meet at once, contracting from the left."""
    widest, alive = 0, set[int]()
    for k, own in enumerate(parts):
        alive |= set(own)
        widest = max(widest, len(alive))
        alive &= set(out).union(*parts[k + 1 :])
    return widest


def _listed(axes: Sequence[int]) -> str:
    return ", ".join(map(str, axes))
