"""CloudWatch metric math over aligned series: an expression becomes Python functions, never code that is run.

Between two series a missing value counts as 0, and so does the one that IF chooses; where both are missing, and next to
a plain number, it stays missing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

Series = list[float | None]
"""One value a period, oldest first; None where there is no datapoint."""

Column = Mapping[str, float | None]
"""The values of all series in one period."""

Point = Callable[[Column], float | None]


class MetricMathError(ValueError):
    """An expression that cannot be evaluated here."""


def evaluate(expression: str, series: Mapping[str, Sequence[float | None]], *, period: int = 60) -> Series:
    """The expression's own series, as long as the given ones.

    `evaluate("FILL(a, 0) / IF(b < 1, 1, b)", {"a": [6, None], "b": [3, 0]})` is `[2.0, 0.0]`.

    Args:
        expression: The expression, as CloudWatch takes it.
        series: The values of each series by its name, oldest first; None where one is missing.
        period: The period of the series, in seconds. Defaults to 60.

    Raises:
        MetricMathError: The syntax, a name or a function is not supported.
    """
    return Expression.parse(expression, names=tuple(series), period=period).series(series)


def in_order(expressions: Mapping[str, str]) -> list[tuple[str, str]]:
    """Expressions by name, those that others name first.

    Args:
        expressions: The expressions by their names.

    Raises:
        MetricMathError: Expressions name each other in turn.
    """
    graph = {name: expressions.keys() & set(re.findall(r"\w+", text)) for name, text in expressions.items()}
    try:
        return [(name, expressions[name]) for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise MetricMathError(f"Expressions need each other: {', '.join(error.args[1])}.") from None


class Expression:
    """An expression made ready. Functions that look at a whole series (DIFF, MAX of one) become series of their own.

    Args:
        text: The expression, as CloudWatch takes it.
        names: The names of the series it may use.
        period: The period of the series, in seconds.
        waits: Whether a period that is not over is calculated: a missing value may still come, so only FILL replaces
            it.

    Raises:
        MetricMathError: The expression gives several series, or its syntax, a name or a function is not supported.
    """

    @staticmethod
    @lru_cache(maxsize=256)
    def parse(text: str, *, names: tuple[str, ...], period: int = 60, waits: bool = False) -> "Expression":
        """The expression of a text; the same text is parsed once.

        Args:
            text: The expression, as CloudWatch takes it.
            names: The names of the series it may use.
            period: The period of the series, in seconds. Defaults to 60.
            waits: Whether missing values may still come. Defaults to False.

        Raises:
            MetricMathError: The syntax, a name or a function is not supported.
        """
        return Expression(text, names, period, waits=waits)

    def __init__(self, text: str, names: tuple[str, ...], period: int, *, waits: bool) -> None:
        self._names = names
        self._period = period
        self._waits = waits
        self._derived: dict[str, tuple[_OfSeries, Point]] = {}
        node = _parse(text).body
        if _is_array(node):
            raise MetricMathError(f"{text!r} gives several series; an alarm needs one.")
        self.point: Point = self._compile(node)
        """The value in one period; only for an expression that is `pointwise`."""

    @property
    def pointwise(self) -> bool:
        """Whether each period's value needs that period only."""
        return not self._derived

    def series(self, series: Mapping[str, Sequence[float | None]]) -> Series:
        """The expression's own series, as long as the given ones.

        Args:
            series: The values of each series by its name, oldest first; None where one is missing.
        """
        length = max((len(values) for values in series.values()), default=1)
        known = dict(series)
        # In the order in which they were met: the argument of one is compiled before it.
        for name, (function, argument) in self._derived.items():
            known[name] = function([argument(column) for column in _columns(known, length)])
        return [self.point(column) for column in _columns(known, length)]

    def _compile(self, node: ast.expr) -> Point:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return _constant(float(number))
            case ast.Name(id=name) if name in self._names:
                return operator.itemgetter(name)
            case ast.Name(id=name):
                raise MetricMathError(f"Metric math names {name!r}, which is none of {', '.join(self._names)}.")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _one(operator.neg, self._compile(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._two(_ARITHMETIC[type(op)], left, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return self._two(_COMPARISONS[type(op)], left, right)
            case ast.BoolOp(op=op, values=values):
                operands = [self._compile(value) for value in values]
                return _logic(all if isinstance(op, ast.And) else any, operands, zeros=not self._waits)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name.upper(), arguments)
            case _:
                raise MetricMathError(f"{ast.unparse(node)!r} is not supported in metric math.")

    def _call(self, name: str, arguments: list[ast.expr]) -> Point:
        match name, arguments:
            case "IF", [condition, yes]:
                return _choose(self._compile(condition), self._compile(yes), _nothing, zeros=not self._waits)
            case "IF", [condition, yes, no]:
                points = self._compile(condition), self._compile(yes), self._compile(no)
                return _choose(*points, zeros=not self._waits)
            case "FILL", [metric, ast.Name(id="REPEAT")]:
                return self._derive(_repeat, metric)
            case "FILL", [metric, filler]:
                return _fill(self._compile(metric), self._compile(filler))
            case (("ABS" | "CEIL" | "FLOOR"), [value]):
                return _one(_ROUNDING[name], self._compile(value))
            case "AVG", [value] if _is_array(value) and not self._waits:
                return _mean_with_zeros(self._array(value))
            case (("MAX" | "MIN" | "SUM" | "AVG"), [value]) if _is_array(value):
                return _across(_AGGREGATES[name], self._array(value))
            case (("MAX" | "MIN" | "SUM" | "AVG"), [value]):
                return self._derive(_along(_AGGREGATES[name]), value)
            case "DIFF", [value]:
                return self._derive(lambda series: _differences(series, per=None), value)
            case "RATE", [value]:
                return self._derive(lambda series: _differences(series, per=self._period), value)
            case "PERIOD", [_]:
                return _constant(float(self._period))
            case "TIME_SERIES", [value]:
                return self._compile(value)
            case "RUNNING_SUM", [value]:
                return self._derive(_running_sum, value)
            case "DATAPOINT_COUNT", [value]:
                return self._derive(_count, value)
            case _:
                raise MetricMathError(f"{name} with {len(arguments)} arguments is not supported in metric math.")

    def _two(self, function: Callable[[float, float], float], left: ast.expr, right: ast.expr) -> Point:
        zeros = not (self._waits or _is_scalar(left) or _is_scalar(right))
        return _two(function, self._compile(left), self._compile(right), zeros=zeros)

    def _array(self, node: ast.expr) -> list[Point]:
        if isinstance(node, ast.List):
            return [self._compile(element) for element in node.elts]
        return [operator.itemgetter(name) for name in self._names]

    def _derive(self, function: "_OfSeries", argument: ast.expr) -> Point:
        compiled = self._compile(argument)
        name = f"#{len(self._derived)}"
        self._derived[name] = function, compiled
        return operator.itemgetter(name)


_OfSeries = Callable[[Series], Series]


def _parse(expression: str) -> ast.Expression:
    text = re.sub(r"&&|\bAND\b", " and ", expression)
    text = re.sub(r"\|\||\bOR\b", " or ", text).replace("^", "**")
    try:
        return ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise MetricMathError(f"{expression!r} is not metric math: {error.msg}.") from None


def _is_array(node: ast.expr) -> bool:
    match node:
        case ast.List():
            return True
        case ast.Call(func=ast.Name(id=name), args=[]):
            return name.upper() == "METRICS"
        case _:
            return False


def _is_scalar(node: ast.expr) -> bool:
    """Whether it is one number, not one for each period."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_scalar(operand)
        case ast.BinOp(left=left, right=right):
            return _is_scalar(left) and _is_scalar(right)
        case ast.Call(func=ast.Name(id=name), args=[value]):
            return name.upper() in _SCALAR_FUNCTIONS and not _is_array(value)
        case _:
            return False


def _columns(series: Mapping[str, Sequence[float | None]], length: int) -> list[Column]:
    if not series:
        return [{}] * length
    return [dict(zip(series, values, strict=True)) for values in zip(*series.values(), strict=True)]


_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.Pow: math.pow,
}
_COMPARISONS: dict[type, Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ROUNDING: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_SCALAR_FUNCTIONS = frozenset({"MAX", "MIN", "SUM", "AVG", "PERIOD", "DATAPOINT_COUNT"})
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


# Of one period


def _nothing(_: Column) -> None:
    return None


def _constant(number: float) -> Point:
    return lambda _: number


def _one(function: Callable[[float], float], operand: Point) -> Point:
    def point(column: Column) -> float | None:
        value = operand(column)
        return None if value is None else float(function(value))

    return point


def _two(function: Callable[[float, float], float], left: Point, right: Point, *, zeros: bool) -> Point:
    """A function of two values, either of which may be missing.

    Args:
        function: The function of two numbers.
        left: The first value.
        right: The second value.
        zeros: Whether one that is missing counts as 0 next to one that is not.
    """

    def point(column: Column) -> float | None:
        first, second = left(column), right(column)
        if first is None or second is None:
            if first is second or not zeros:
                return None
            first, second = first or 0.0, second or 0.0
        try:
            return float(function(first, second))
        except (ArithmeticError, ValueError):
            # Division by zero gives no datapoint, as in CloudWatch.
            return None

    return point


def _logic(function: Callable[[Sequence[float]], bool], operands: Sequence[Point], *, zeros: bool) -> Point:
    def point(column: Column) -> float | None:
        values = [operand(column) for operand in operands]
        missing = values.count(None)
        if missing and (missing == len(values) or not zeros):
            return None
        return float(function([value or 0.0 for value in values]))

    return point


def _choose(condition: Point, yes: Point, no: Point, *, zeros: bool) -> Point:
    def point(column: Column) -> float | None:
        flag = condition(column)
        if not flag:
            return None if flag is None else no(column)
        value = yes(column)
        return 0.0 if value is None and zeros else value

    return point


def _fill(metric: Point, filler: Point) -> Point:
    def point(column: Column) -> float | None:
        value = metric(column)
        return filler(column) if value is None else value

    return point


def _across(function: Callable[[Sequence[float]], float], array: Sequence[Point]) -> Point:
    def point(column: Column) -> float | None:
        present = [value for element in array if (value := element(column)) is not None]
        return function(present) if present else None

    return point


def _mean_with_zeros(array: Sequence[Point]) -> Point:
    """Unlike MAX, MIN and SUM, AVG counts what is missing: as 0."""

    def point(column: Column) -> float | None:
        values = [element(column) for element in array]
        return None if values.count(None) == len(values) else sum(value or 0.0 for value in values) / len(values)

    return point


# Of a whole series


def _along(function: Callable[[Sequence[float]], float]) -> _OfSeries:
    def constant(series: Series) -> Series:
        present = [value for value in series if value is not None]
        return [function(present) if present else None] * len(series)

    return constant


def _repeat(series: Series) -> Series:
    """Missing periods become the value before them."""
    result: Series = []
    for value in series:
        result.append(value if value is not None or not result else result[-1])
    return result


def _differences(series: Series, *, per: float | None) -> Series:
    """Each value less the previous one there is; per second where a period is given."""
    result: Series = []
    previous: tuple[int, float] | None = None
    for index, value in enumerate(series):
        if value is None or previous is None:
            result.append(None)
        else:
            result.append((value - previous[1]) / (1 if per is None else per * (index - previous[0])))
        previous = previous if value is None else (index, value)
    return result


def _running_sum(series: Series) -> Series:
    total = 0.0
    result: Series = []
    for value in series:
        total += value or 0.0
        result.append(None if value is None else total)
    return result


def _count(series: Series) -> Series:
    return [float(sum(value is not None for value in series))] * len(series)
