"""One file per verb of the loop. Each stage turns artefacts into one new artefact; this table registers them."""

from mdr.stages.evaluate import Evaluate
from mdr.stages.generate import Generate
from mdr.stages.index import IndexDense, IndexLexical
from mdr.stages.mine import Mine
from mdr.stages.prepare import Prepare
from mdr.stages.score import Score
from mdr.stages.stage import Stage
from mdr.stages.texts import ReadTexts
from mdr.stages.train import Train

STAGES: dict[str, type[Stage]] = {
    stage.name: stage
    for stage in (Prepare, ReadTexts, IndexLexical, IndexDense, Mine, Generate, Score, Train, Evaluate)
}
