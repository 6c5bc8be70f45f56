"""Judge every audited result, draw it, and write it for other programs."""

from pathlib import Path

from discontinuation.audit.answers import read_audit
from discontinuation.audit.exports import (
    criteria_of,
    revman_files,
    robvis_generic,
    robvis_rob2,
    withdrawal_table,
    write_revman,
)
from discontinuation.audit.judgements import judge_audits
from discontinuation.logs import log_to
from discontinuation.problems import InvalidInput
from discontinuation.report.audit_figures import draw_judgement_bars, draw_traffic_lights
from discontinuation.report.drawing import save_figure
from discontinuation.tables.files import new_folder, read_tables, write_table

log_to(snakemake.log[0])

try:
    judged = judge_audits([read_audit(Path(path)) for path in snakemake.input.audits])
except InvalidInput as error:
    raise SystemExit(str(error)) from None
frames = read_tables(snakemake.input.tables)
made = {
    "judgements": judged.summary,
    "audit_answers": judged.answers,
    "domain_w": withdrawal_table(judged),
    "robvis_rob2": robvis_rob2(judged),
    "robvis_generic": robvis_generic(judged),
}
for path in map(Path, snakemake.output.tables):
    write_table(made[path.stem], path)
save_figure(draw_traffic_lights(judged.summary, "RoB 2"), *snakemake.output.lights)
save_figure(draw_judgement_bars(judged.summary, "RoB 2"), *snakemake.output.bars)
with new_folder(snakemake.output.revman) as folder:
    write_revman(folder, revman_files(judged, frames, criteria_of(judged, frames)))
