"""Published results of other models, under the protocol of the benchmark."""

from dataclasses import dataclass
from typing import Final

KLENITSKIY: Final = (
    "A. Klenitskiy, A. Vasilev: Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec? "
    "RecSys 2023, arXiv:2309.07602"
)
PETROV: Final = (
    "A. V. Petrov, C. Macdonald: gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with "
    "Negative Sampling. RecSys 2023, arXiv:2308.07192; results of the authors' code, asash/gSASRec-pytorch"
)
ZHAI: Final = (
    "J. Zhai et al.: Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for "
    "Generative Recommendations. ICML 2024, arXiv:2402.17152; refitted: the authors' code, "
    "facebookresearch/generative-recommenders, trains on the validation split too"
)
GUSAK: Final = (
    "D. Gusak et al.: Time to Split: Exploring Data Splitting Strategies for Offline Evaluation of "
    "Sequential Recommenders. RecSys 2025, arXiv:2507.16289; results of the authors' code, "
    "monkey0head/time-to-split, val_by_time, q09"
)
DING: Final = (
    "B. Ding, J. Zhai: Retrieval with Learned Similarities. WWW 2025, arXiv:2407.15462; refitted: the "
    "authors' code, bailuding/rails, trains on the validation split too"
)


@dataclass(frozen=True)
class PublishedResult:
    """Test metrics of a model in a publication, with as many digits as it states."""

    model: str
    hr_at_10: float
    ndcg_at_10: float
    source: str


# (data set, protocol) -> results on the 5-core, all items ranked but the seen ones. Those of Time to Split
# are the best of each model's 104 to 108 configurations by the test itself, in its favour.
PUBLISHED: Final = {
    ("movielens-1m", "leave-one-out"): (
        PublishedResult("GRU4Rec", 0.2811, 0.1648, KLENITSKIY),
        PublishedResult("SASRec, full cross-entropy", 0.315, 0.182, KLENITSKIY),
        PublishedResult("gSASRec", 0.3003, 0.1726, PETROV),
        PublishedResult("HSTU-large", 0.3294, 0.1893, ZHAI),
        PublishedResult("HSTU-large with mixture of logits", 0.3412, 0.1979, DING),
    ),
    ("movielens-1m", "global-time-last"): (
        PublishedResult("GRU4Rec", 0.1505, 0.0904, GUSAK),
        PublishedResult("BERT4Rec", 0.1629, 0.0923, GUSAK),
        PublishedResult("SASRec", 0.1778, 0.1014, GUSAK),
    ),
    ("movielens-1m", "global-time-successive"): (
        PublishedResult("BERT4Rec", 0.1856, 0.0961, GUSAK),
        PublishedResult("GRU4Rec", 0.1966, 0.1072, GUSAK),
        PublishedResult("SASRec", 0.2039, 0.1100, GUSAK),
    ),
}
