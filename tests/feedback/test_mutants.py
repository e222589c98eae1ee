"""No small change of a right solution is accepted: the folded solutions of the notebooks, changed in one place each."""

import ast
import copy
import importlib
import re

import nbformat
import pytest
from answers import FOLDER, folded_sources

import helpers.checks

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
COMPARISONS = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
METHODS = {"sum": "mean", "mean": "sum", "max": "min", "min": "max", "logsumexp": "sum", "zip": "zip"}
# Changes that change nothing: lines of the changed solution, each with the reason.
LAST_IS_FIRST = [  # the first dimension after the batch is the last
    "logits = logits.squeeze(-1)",
    "return torch.cat([images, planes.expand(-1, -1, *images.shape[-2:])], dim=1)",
    "distance, nearest = torch.cdist(points, centres).min(dim=-1)",
    "return (gradient.flatten(1).norm(dim=-1) - 1).square()",
    "return 0.5 * (mu ** 2 + log_var.exp() - 1 - log_var).sum(dim=-1)",
    "score = torch.cat([eps / sigma, (eps ** 2 - 1) / 2], dim=-1)",
    "return torch.cat([slope, slope * sigma * eps / 2], dim=-1).detach()",
    "k = torch.cdist(h, codes).argmin(dim=-1)",
    "likeness = (features - recon_features).square().sum(dim=-1).mean() / 2",
    "g_loss = softplus(-discriminator(generator(z[-1]))).mean()",  # of two
    "return vae.decode((1 - t) * mu[0] + t * mu[-1]).mean",  # of two
    "inputs = torch.cat([torch.ones_like(x[:, :1]), x[:, :-1]], dim=-1)",
    "rates = counts / counts.sum(dim=-1, keepdim=True)",
    "real_radii, fake_radii = (torch.cdist(x, x).sort().values[:, k] for x in (real, fake))",
    "real_radii, fake_radii = (torch.cdist(x, x).sort(dim=-1).values[:, k] for x in (real, fake))",
    "recall = (apart <= fake_radii).any(dim=-1).double().mean()",
    "of_fake = torch.cdist(fake, training).min(dim=-1).values",
    "of_held_out = torch.cdist(held_out, training).min(dim=-1).values",
    "return (eps - eps_hat).square().flatten(1).sum(-1)",
    "means = validation.mean(dim=-1)",
]
SAME_TYPE = [  # PyTorch converts by itself, or a number is a number in any wrapping
    "return 2 * (pixels.unsqueeze(1) / 255) - 1",
    "t = torch.linspace(0, 1, steps)[:, None]",
    "kept = alpha_bar[t].view(-1, *[1] * (x.ndim - 1))",
    "planes = one_hot(labels, classes)[:, :, None, None]",
    "return ((shares >= 0.02).sum(), good.float().mean().item())",
    "return (int((shares >= 0.02).sum()), good.float().mean())",
    "loss.backward(inputs=network.parameters(), retain_graph=True)",
    "return [part.sum() / len(losses) for part in losses.split(sizes)]",
]
OF_NO_EFFECT = [
    "fake = generator(z[0])",  # what D's backward leaves in G is cleared before G's own
    "shares = nearest[good].bincount() / len(points)",  # a mode that is not counted is not covered
    "return torch.cat([slope, slope * sigma * eps / 2], dim=1)",  # one call has no graph to cut
    "z = (mu + sigma * eps).requires_grad_()",
    "if angle.sin() < 5e-05:",  # also practically 0
]
UNBIASED = re.compile(
    r"baseline = .*|return (?:rewards|values)\[:, None\] \* score"
)  # whatever leaves the sample itself out


def changes(node):
    """Other nodes that may stand in the place of `node`."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPERATORS:
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        yield node.left
        yield node.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (
            ast.Constant(value) for value in {node.value + 1, -node.value, node.value / 2} - {node.value}
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in METHODS:
                name = METHODS[node.func.attr]
                yield ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)
            yield node.func.value
        if len(node.args) == 1 and not node.keywords:
            yield node.args[0]
        if len(node.args) > 1:
            yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
        for i in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])


class Replace(ast.NodeTransformer):
    """Puts `other` in the place of the n-th node, counted in the order of the walk."""

    def __init__(self, n, other):
        self.left, self.other = n, other

    def visit(self, node):
        self.left -= 1
        return self.other if self.left == -1 else self.generic_visit(node)


def mutants(source):
    """Every solution that differs from `source` in one place."""
    tree = ast.parse(source)
    body = tree.body[0].body
    if len(body) > 1:
        for i, statement in enumerate(body):
            if isinstance(statement, ast.Expr):
                other = copy.deepcopy(tree)
                del other.body[0].body[i]
                yield ast.unparse(other)
    nodes = []

    class Walk(ast.NodeVisitor):
        def visit(self, node):
            nodes.append(node)
            self.generic_visit(node)

    Walk().visit(tree)
    for n, node in enumerate(nodes):
        for other in changes(node):
            changed = ast.fix_missing_locations(Replace(n, other).visit(copy.deepcopy(tree)))
            yield ast.unparse(changed)


def names_of(notebook):
    """What a notebook imports, and what it defines as helpers does."""
    names = {}
    for family in ("helpers.theory", "helpers.gan", "helpers.vae"):
        module = importlib.import_module(family)
        names |= {name: getattr(module, name) for name in module.__all__}
    for cell in nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            for node in ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE)).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(node), names)
    return names


def check_of(notebook, solution):
    """The check that the notebook calls with this solution."""
    cells = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return getattr(helpers.checks, re.search(rf"(check_\w+)\({solution}\b", code)[1])


SOLUTIONS = [
    (path.stem, re.match(r"def (\w+)", source)[1], source)
    for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    if ".mine-" not in path.name
    for source in folded_sources(path.stem)
]


@pytest.mark.parametrize(("notebook", "name", "source"), SOLUTIONS, ids=[row[1] for row in SOLUTIONS])
def test_no_small_change_of_a_solution_passes(notebook, name, source):
    names, check = names_of(notebook), check_of(notebook, name)
    exec(source, names)
    assert check(names[name]).ok
    original, passed = ast.unparse(ast.parse(source)), []
    for mutant in sorted({*mutants(source)} - {original}):
        exec(mutant, names)
        feedback = check(names[name])
        if feedback.ok and feedback.kind == "right":
            line = next(new.strip() for new in mutant.split("\n") if new not in original.split("\n"))
            if line not in (*LAST_IS_FIRST, *SAME_TYPE, *OF_NO_EFFECT) and not UNBIASED.fullmatch(line):
                passed.append(line)
    assert not passed
