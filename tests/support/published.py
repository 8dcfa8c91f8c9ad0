"""Small files in the formats that benchmarks are published in."""

import json

PROMETHEUS = """###Task Description:
An instruction, a response to evaluate, a reference answer and a score rubric are given.

###The instruction to evaluate:
{instruction}

###Response to evaluate:
{response}

###Reference Answer (Score 5):
{reference}

###Score Rubrics:
[{criterion}]
Score 1: none.
Score 2: little.
Score 3: some.
Score 4: much.
Score 5: all.

###Feedback: """


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flask_records(n_prompts=3, criteria=("Is it right?", "Is it clear?"), writers=("bard", "vicuna")):
    """Records of flask_eval.json; criteria outermost, so that a reader has to bring a response's together."""
    return [
        {
            "instruction": PROMETHEUS.format(
                instruction=f"Task {n}",
                response=f"{writer} writes\n### {n}",
                reference=f"Answer {n}",
                criterion=criterion,
            ),
            "idx": n,
            "criteria": "logical_correctness" if "right" in criterion else "readability",
            "response_source": writer,
            "human_score": [1 + (n + len(writer)) % 5, 3, 1 + (2 * n + len(criterion)) % 5],
            "gpt4_score": [5, 5, 5],
            "gpt4_feedback": ["", "", ""],
        }
        for criterion in criteria
        for n in range(n_prompts)
        for writer in writers
    ]


def helpsteer_records(n):
    """Records of HelpSteer: two responses a prompt, labels 0 to 4."""
    names = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    return [
        {
            "prompt": f"Prompt {i // 2}",
            "response": f"Response {i}",
            **{name: (i * (k + 1) + k) % 5 for k, name in enumerate(names)},
        }
        for i in range(n)
    ]


def biggen_records(n_instances=3, models=("m1", "m2")):
    """Records of the human split of BiGGen-Bench-Results."""
    rubric = {"criteria": "Is the plan sound?", **{f"score{s}_description": f"means {s}" for s in range(1, 6)}}
    return [
        {
            "id": f"planning_travel_{n}",
            "capability": "planning" if n % 2 == 0 else "reasoning",
            "task": f"task{n}",
            "instance_idx": n,
            "system_prompt": "Be brief.",
            "input": f"Plan trip {n}",
            "reference_answer": f"Reference {n}",
            "score_rubric": rubric,
            "model_name": model,
            "response": f"{model} plans {n}",
            "human_score": 1 + (n + len(models) * (model == "m2")) % 5,
            "gpt4_score": 5,
        }
        for model in models
        for n in range(n_instances)
    ]


def judgebench_records(n=4):
    """Records of JudgeBench."""
    sources = ("mmlu-pro-law", "livebench-math", "livebench-reasoning", "livecodebench")
    return [
        {
            "pair_id": f"pair{i}",
            "original_id": str(i),
            "source": sources[i % 4],
            "question": f"Question {i}",
            "response_model": "gpt-4o-2024-05-13",
            "response_A": f"A says {i}",
            "response_B": f"B says {i}",
            "label": "A>B" if i % 2 else "B>A",
        }
        for i in range(n)
    ]


def llmbar_records(n=2):
    """Records of an LLMBar subset."""
    return [{"input": f"Do {i}", "output_1": f"one {i}", "output_2": f"two {i}", "label": 1 + i % 2} for i in range(n)]


def eqbench_questions(n=3):
    """Questions of EQ-Bench 2."""
    names = ("Calm", "Angry", "Sad", "Proud")
    return {
        str(k): {
            "prompt": f"\nYour task is to predict the likely emotional responses of a character in this dialogue:\n\n"
            f"Ann: Line {k}.\n[End dialogue]\n\nAt the end of this dialogue, Ann would feel...\n"
            + "\n".join(names)
            + "\n\nGive each of these possible emotions a score from 0-10.\n",
            "reference_answer_fullscale": {
                **{f"emotion{e}": name for e, name in enumerate(names, start=1)},
                **{f"emotion{e}_score": str((e * k) % 11) if e % 2 else (e + k) % 11 for e in range(1, 5)},
            },
        }
        for k in range(1, n + 1)
    }


def selfaware_document(n=6):
    """SelfAware's file."""
    return {
        "dataset_name": "SelfAware",
        "example": [
            {
                "question_id": i,
                "question": f"Question {i}?",
                "answer": None if i % 3 == 0 else ["yes"],
                "answerable": i % 3 != 0,
                "source": "SelfAware" if i % 3 == 0 else "squadqa_dev",
            }
            for i in range(1, n + 1)
        ],
    }


def graded_set(worst=1, best=7, **changes):
    """A set of JUDGE-BENCH with a graded criterion, a categorical one, and another graded one of the same range."""
    document = {
        "dataset": "made up",
        "annotations": [
            {
                "metric": "grammar",
                "category": "graded",
                "prompt": "Rate it. {{ instance }}",
                "worst": worst,
                "best": best,
            },
            {
                "metric": "rude",
                "category": "categorical",
                "prompt": "{{ instance }} Rude?",
                "labels_list": ["yes", "no"],
            },
            {"metric": "flow", "category": "graded", "prompt": "Flow? {{ instance }}", "worst": worst, "best": best},
        ],
        "instances": [
            {
                "id": i,
                "instance": f" Text {i} ",
                "annotations": {
                    "grammar": {"mean_human": 2.0, "individual_human_scores": [1, 3]},
                    "rude": {"majority_human": "no", "individual_human_scores": ["no"]},
                    "flow": {"mean_human": 4, "individual_human_scores": [4]},
                },
            }
            for i in (1, 2)
        ],
    }
    return document | changes
