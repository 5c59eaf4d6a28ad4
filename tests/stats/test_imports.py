import pkgutil
import subprocess
import sys

from ultrarm_eval import stats


def test_statistics_load_neither_torch_nor_the_harness_nor_all_of_scipys_statistics():
    ours = [
        "agreement",
        "bootstrap",
        "calibration",
        "clustered",
        "interval_estimators",
        "significance",
    ]
    assert set(ours) <= {module.name for module in pkgutil.iter_modules(stats.__path__)}
    imports = ", ".join(f"ultrarm_eval.stats.{name}" for name in ours)
    code = f"import sys, {imports}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "lm_eval", "scipy.stats", "scipy.optimize"}
