"""Checks an executed quickstart: every code cell ran, none failed, there is at
least one figure and one rich table, and the model ended at least 25 % below the
unigram entropy. usage: check_quickstart.py NOTEBOOK"""
import json
import re
import sys

notebook = json.load(open(sys.argv[1], encoding="utf-8"))
cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
outputs = [o for c in cells for o in c["outputs"]]
types = [mime for o in outputs for mime in o.get("data", {})]
problems = [f"error output: {o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
problems += [f"cell {i + 1} was not executed" for i, c in enumerate(cells) if c["execution_count"] is None]
if not {"image/png", "image/svg+xml"} & set(types):
    problems.append("no figure")
if "text/html" not in types:
    problems.append("no text/html")
texts = ["".join(o.get("data", {}).get("text/plain", "")) for o in outputs]
gains = [float(g) for t in texts for g in re.findall(r"([\d.]+) % below the unigram entropy", t)]
if not gains or gains[-1] < 25:
    problems.append(f"the validation loss is not 25 % below the unigram entropy: {gains}")
for p in problems:
    print("FAILED:", p)
print(f"{len(cells)} code cells, {len(outputs)} outputs, {len(set(types))} MIME types, {gains[-1] if gains else 0} % below the unigram entropy")
sys.exit(bool(problems))
