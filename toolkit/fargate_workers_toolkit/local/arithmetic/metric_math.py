"""CloudWatch metric math over aligned series, evaluated by walking a parsed expression: never by running it."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

Series = list[float | None]
"""One value a period, oldest first; None where there is no datapoint."""

Value = float | Series | list[Series]


class MetricMathError(ValueError):
    """An expression that cannot be evaluated here."""


def evaluate(expression: str, series: Mapping[str, Sequence[float | None]], *, period: int = 60) -> Series:
    """The expression's own series, as long as the given ones.

    `evaluate("FILL(a, 0) / IF(b < 1, 1, b)", {"a": [6, None], "b": [3, 0]})` is `[2.0, 0.0]`.
    Raises MetricMathError for syntax, names and functions that are not supported.
    """
    length = max((len(values) for values in series.values()), default=1)
    walk = _Walk({name: list(values) for name, values in series.items()}, length, period)
    value = walk.value(_parse(expression).body)
    if isinstance(value, list) and value and isinstance(value[0], list):
        raise MetricMathError(f"{expression!r} gives several series; an alarm needs one.")
    return walk.as_series(value)


def _parse(expression: str) -> ast.Expression:
    text = re.sub(r"&&|\bAND\b", " and ", expression)
    text = re.sub(r"\|\||\bOR\b", " or ", text).replace("^", "**")
    try:
        return ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise MetricMathError(f"{expression!r} is not metric math: {error.msg}.") from None


_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: left**right,
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
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


class _Walk:
    """Evaluates nodes; every unknown one is refused."""

    def __init__(self, series: Mapping[str, Series], length: int, period: int) -> None:
        self.series = series
        self.length = length
        self.period = period

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self.series:
                return self.series[name]
            case ast.Name(id=name):
                raise MetricMathError(f"Metric math names {name!r}, which is none of {', '.join(self.series)}.")
            case ast.List(elts=elements):
                return [self.as_series(self.value(element)) for element in elements]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.map(_negative, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self.map(_guarded(_ARITHMETIC[type(op)]), self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return self.map(_as_number(_COMPARISONS[type(op)]), self.value(left), self.value(right))
            case ast.BoolOp(op=ast.And(), values=values):
                return self.map(lambda *flags: float(all(flags)), *map(self.value, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.map(lambda *flags: float(any(flags)), *map(self.value, values))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(name.upper(), arguments)
            case _:
                raise MetricMathError(f"{ast.unparse(node)!r} is not supported in local metric math.")

    def call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "FILL":
            return self.fill(*arguments)
        if name == "METRICS" and not arguments:
            return list(self.series.values())
        values = [self.value(argument) for argument in arguments]
        match name, values:
            case "IF", [condition, yes]:
                return self.choose(condition, yes, self.nothing())
            case "IF", [condition, yes, no]:
                return self.choose(condition, yes, no)
            case (("ABS" | "CEIL" | "FLOOR"), [value]):
                return self.map(_ROUNDING[name], value)
            case (("MAX" | "MIN" | "SUM" | "AVG"), [value]):
                return self.aggregate(_AGGREGATES[name], value)
            case "DIFF", [value]:
                return self.differences(value, per=1)
            case "RATE", [value]:
                return self.differences(value, per=self.period)
            case "PERIOD", [_]:
                return float(self.period)
            case "TIME_SERIES", [value]:
                return self.as_series(value)
            case "RUNNING_SUM", [value]:
                return self.running_sum(value)
            case "DATAPOINT_COUNT", [value]:
                return float(sum(item is not None for item in self.as_series(value)))
            case _:
                raise MetricMathError(f"{name} with {len(values)} arguments is not supported in local metric math.")

    def nothing(self) -> Series:
        return [None] * self.length

    def as_series(self, value: Value) -> Series:
        if isinstance(value, list):
            if value and isinstance(value[0], list):
                raise MetricMathError("Metric math puts an array of series where one series is needed.")
            return value  # pyright: ignore[reportReturnType]
        return [value] * self.length

    def map(self, function: Callable[..., float | None], *values: Value) -> Value:
        """Applies a function to every period; a missing operand makes the period missing."""
        if not any(isinstance(value, list) for value in values):
            result = function(*values)
            return self.nothing() if result is None else result
        columns = zip(*map(self.as_series, values), strict=True)
        return [None if None in column else function(*column) for column in columns]

    def choose(self, condition: Value, yes: Value, no: Value) -> Series:
        columns = zip(self.as_series(condition), self.as_series(yes), self.as_series(no), strict=True)
        return [None if flag is None else (first if flag else second) for flag, first, second in columns]

    def aggregate(self, function: Callable[[Sequence[float]], float], value: Value) -> Value:
        """Of an array of series: period by period. Of one series: one number."""
        if isinstance(value, list) and value and isinstance(value[0], list):
            columns = [[item for item in column if item is not None] for column in zip(*value, strict=True)]  # pyright: ignore[reportArgumentType]
            result: Series = [function(column) if column else None for column in columns]
            return result
        present = [item for item in self.as_series(value) if item is not None]
        return function(present) if present else self.nothing()

    def differences(self, value: Value, *, per: float) -> Series:
        """Each value less the previous one there is, per second for RATE."""
        result: Series = []
        previous: tuple[int, float] | None = None
        for index, item in enumerate(self.as_series(value)):
            if item is None or previous is None:
                result.append(None)
            else:
                result.append((item - previous[1]) / (per if per == 1 else per * (index - previous[0])))
            previous = previous if item is None else (index, item)
        return result

    def running_sum(self, value: Value) -> Series:
        total = 0.0
        result: Series = []
        for item in self.as_series(value):
            total += item or 0.0
            result.append(None if item is None else total)
        return result

    def fill(self, metric: ast.expr, filler: ast.expr) -> Series:
        """Missing periods become a value, or with REPEAT the value before them."""
        series = self.as_series(self.value(metric))
        if isinstance(filler, ast.Name) and filler.id == "REPEAT":
            result: Series = []
            for item in series:
                result.append(item if item is not None or not result else result[-1])
            return result
        values = self.as_series(self.value(filler))
        return [other if item is None else item for item, other in zip(series, values, strict=True)]


def _guarded(function: Callable[[float, float], float]) -> Callable[[float, float], float | None]:
    """Division by zero gives no datapoint, as in CloudWatch."""

    def guarded(left: float, right: float) -> float | None:
        try:
            return function(left, right)
        except (ZeroDivisionError, OverflowError):
            return None

    return guarded


def _negative(value: float) -> float:
    return -value


def _as_number(function: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda left, right: float(function(left, right))
