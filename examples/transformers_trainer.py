"""A small vision transformer that the transformers Trainer teaches digits, and the lines that prune it early.

They are marked with an arrow. The network is built from a configuration: nothing is downloaded.
Needs ``pip install 'secateurs[transformers]'``.
"""

from tempfile import gettempdir

from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification, set_seed

from secateurs import Unstructured
from secateurs.integrations.transformers import EarlyPruning, HuggingFaceClassification  # <-
from secateurs.zoo import digits

set_seed(0)
data = digits()
train, validation, test = (
    [{"pixel_values": image, "labels": label} for image, label in zip(*next(part.batches(len(part))), strict=True)]
    for part in (data.train, data.validation, data.test)
)
config = ViTConfig(
    image_size=8,
    patch_size=2,
    num_channels=1,
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=96,
    num_labels=10,
)


def accuracy(told):
    return {"accuracy": float((told.predictions.argmax(-1) == told.label_ids).mean())}


arguments = TrainingArguments(
    gettempdir(),  # nothing is saved
    num_train_epochs=10,
    per_device_train_batch_size=32,
    per_device_eval_batch_size=360,
    learning_rate=3e-3,
    eval_strategy="epoch",
    logging_strategy="epoch",
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    use_cpu=True,
)
trainer = Trainer(
    ViTForImageClassification(config),
    arguments,
    train_dataset=train,
    eval_dataset=validation,
    compute_metrics=accuracy,
)
task = HuggingFaceClassification(num_classes=10, inputs=("pixel_values",))  # <-
# The classifier stays dense; when=None is the default trigger.
pruning = EarlyPruning(trainer, task, how=Unstructured(density=0.3, exclude=("classifier",)))  # <-
trainer.add_callback(pruning)  # <-
trainer.train()

print(pruning.pruner.event)
test_accuracy = trainer.evaluate(test)["eval_accuracy"]
print(f"test accuracy {test_accuracy:.3f}")
