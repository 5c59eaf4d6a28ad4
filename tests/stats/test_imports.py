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
        "roots",
        "significance",
    ]
    assert set(ours) <= {module.name for module in pkgutil.iter_modules(stats.__path__)}
    imports = ", ".join(f"ultrarm_eval.stats.{name}" for name in ours)
    # The temperature needs the root of a function, of which scipy.optimize has one.
    use = "ultrarm_eval.stats.calibration.fit_temperature([1.0, -0.5])"
    code = f"import sys, {imports}; {use}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "lm_eval", "scipy.stats", "scipy.optimize"}
