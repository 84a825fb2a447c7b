"""Which variables a reader asks for."""

from collections.abc import Iterator, Mapping


class ReadEnvironment(Mapping[str, str]):
    """An environment that remembers which of its variables were asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._variables[name]

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
