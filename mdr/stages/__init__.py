"""One file per verb of the loop. Each stage turns artefacts into one new artefact; this table registers them."""

from mdr.stages.counterparts import Counterparts
from mdr.stages.evaluate import Evaluate
from mdr.stages.generate import Generate
from mdr.stages.index import IndexDense, IndexLexical
from mdr.stages.judged_pairs import JudgedPairs
from mdr.stages.labelled_pairs import LabelledPairs
from mdr.stages.mine import Mine
from mdr.stages.prepare import Prepare
from mdr.stages.score import Score
from mdr.stages.stage import Stage
from mdr.stages.texts import ReadTexts
from mdr.stages.train import Train
from mdr.stages.train_generator import TrainGenerator
from mdr.stages.train_reranker import TrainReranker

STAGES: dict[str, type[Stage]] = {
    stage.name: stage
    for stage in (
        *(Prepare, ReadTexts, LabelledPairs, JudgedPairs, IndexLexical, IndexDense),
        *(Mine, Generate, Score, Counterparts, Train, TrainGenerator, TrainReranker, Evaluate),
    )
}
