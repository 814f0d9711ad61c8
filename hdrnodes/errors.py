"""What hdrnodes raises on purpose; anything else that escapes is a bug.

HdrnodesError      exit 1; the message is `subject: problem; remedy`, on one line
    ReadError      a picture, curve or graph file cannot be read; also an OSError
    WriteError     a result cannot be written; also an OSError
    CurveError     a response curve is not usable; also a ValueError
    KnobError      a knob's value is not allowed; names node, knob and range; also a ValueError
    GraphError     a graph has a cycle, an unknown node, an input that nothing feeds; also a ValueError
    PluginError    two plugins claim one name, or one breaks the contract; the message has both
    ModelError     a model folder is missing, foreign, or not what its hashes say
    ExecutorError  no executor can run here, or the one asked for cannot
    TrainingError  a run cannot begin, go on from its checkpoint, or make sense of its losses
    MetricError    two pictures cannot be compared, or a metric has no value for them; also a ValueError
"""


class HdrnodesError(Exception):
    def __init__(self, subject: object, problem: str, remedy: str) -> None:
        super().__init__(f"{subject}: {problem}; {remedy}")
        self.subject, self.problem, self.remedy = subject, problem, remedy

    def __reduce__(self) -> tuple[object, ...]:  # errors travel home from worker processes
        return type(self), (self.subject, self.problem, self.remedy)


class ReadError(HdrnodesError, OSError):
    pass


class WriteError(HdrnodesError, OSError):
    pass


class CurveError(HdrnodesError, ValueError):
    pass


class KnobError(HdrnodesError, ValueError):
    pass


class GraphError(HdrnodesError, ValueError):
    pass


class PluginError(HdrnodesError):
    pass


class ModelError(HdrnodesError):
    pass


class ExecutorError(HdrnodesError):
    pass


class TrainingError(HdrnodesError):
    pass


class MetricError(HdrnodesError, ValueError):
    pass
