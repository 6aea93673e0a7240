"""The English texts of the page Audit and of reviews for it; see `strings`."""

__all__ = ["AUDIT"]

AUDIT: dict[str, str] = {
    "nav.audit": "Audit",
    "audit.title": "Audit",
    "audit.intro": "A constant sample of bursts is reviewed without the models' verdict: {blank} of the blanks and "
    "{confident} of the animals with a probability of at least {confidence}. The rates count these reviews alone; "
    "intervals are of 95 %, and allow for what is not reviewed yet.",
    "audit.off": "No burst is sampled: set UNCIA_AUDIT_SHARE_BLANK and UNCIA_AUDIT_SHARE_CONFIDENT.",
    "audit.waiting": "{n} to review",
    "audit.review": "Review the sample",
    "audit.months": "Months",
    "audit.camera": "Camera",
    "audit.all_cameras": "all cameras",
    "audit.month": "Month",
    "audit.all": "Sum",
    "audit.by_month": "By month",
    "audit.by_month.of": "By month: {camera}",
    "audit.by_camera": "By camera and month",
    "audit.missed": "Animals missed",
    "audit.missed.hint": "Animals missed: of the bursts with an animal, the share that the models call blank "
    "(false-negative rate). Confident verdicts wrong: no animal, or another taxon.",
    "audit.blank": "Animals among blanks",
    "audit.confident": "Confident verdicts wrong",
    "audit.interval": "{low} to {high} %",
    "audit.reviewed": "{decided} of {sampled} reviewed",
    "audit.undecided": "{n} cannot be told",
    "audit.too_few": "too few reviews",
    "audit.no_animal": "no animal",
    "audit.more": "{n} rows more: choose a camera or fewer months, or read the page as JSON.",
    "audit.empty": "No burst was captured in these months.",
    "audit.drift": "Drifted scores",
    "audit.drift.none": "No open alert says that the scores of a camera have drifted. Alert rules with `drift: true` "
    "watch for it.",
    "audit.blind": "What do you see?",
    "audit.blind.evidence": "The verdict of the models is hidden.",
    "audit.categories": "Without a name",
    "review.queue.audit": "audit",
}
