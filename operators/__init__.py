"""The FiftyOne operators and the panel: they read fields, draw forms and write results."""

from typing import Any


def register(plugin: Any) -> None:
    """Register every operator and panel that the manifest lists."""
    from .advise_stopping import AdviseStopping
    from .advise_strategy import AdviseStrategy
    from .compare_strategies import CompareStrategies
    from .compute_business_value import ComputeBusinessValue
    from .compute_dropout_predictions import ComputeDropoutPredictions
    from .compute_embeddings import ComputeEmbeddings
    from .compute_image_metadata import ComputeImageMetadata
    from .compute_scores import ComputeScores
    from .compute_zero_shot_predictions import ComputeZeroShotPredictions
    from .find_near_duplicates import FindNearDuplicates
    from .find_outliers import FindOutliers
    from .find_weak_slices import FindWeakSlices
    from .fit_loss_predictor import FitLossPredictor
    from .import_annotations import ImportAnnotations
    from .list_selections import ListSelections
    from .open_active_learning import OpenActiveLearning
    from .panel.panel import ActiveLearning
    from .panel.why_chosen import WhyChosen
    from .record_round import RecordRound
    from .select import Select
    from .select_balanced import SelectBalanced
    from .select_by_metadata import SelectByMetadata
    from .select_by_similarity import SelectBySimilarity
    from .select_diverse import SelectDiverse
    from .select_informative import SelectInformative
    from .select_like_failures import SelectLikeFailures
    from .select_representative import SelectRepresentative
    from .select_test_set import SelectTestSet
    from .select_uncertain import SelectUncertain
    from .send_to_annotation import SendToAnnotation
    from .show_result import ShowResult
    from .undo_selection import UndoSelection

    for one in (
        Select,
        SelectUncertain,
        SelectInformative,
        SelectDiverse,
        SelectRepresentative,
        SelectTestSet,
        SelectByMetadata,
        SelectBySimilarity,
        SelectBalanced,
        SelectLikeFailures,
        FindNearDuplicates,
        FindOutliers,
        FindWeakSlices,
        SendToAnnotation,
        ImportAnnotations,
        UndoSelection,
        ListSelections,
        ComputeScores,
        ComputeBusinessValue,
        AdviseStopping,
        AdviseStrategy,
        CompareStrategies,
        RecordRound,
        ComputeDropoutPredictions,
        ComputeEmbeddings,
        ComputeImageMetadata,
        ComputeZeroShotPredictions,
        FitLossPredictor,
        OpenActiveLearning,
        ShowResult,
        ActiveLearning,
        WhyChosen,
    ):
        plugin.register(one)
