"""The paper's figures (Lai et al., NeurIPS 2025, arXiv 2508.03550), as printed."""

METHODS = {"vscore": "VScore", "e-score": "E-Score", "lager": "LAGER w/o tuning", "lager-tuned": "LAGER w/ tuning"}
SETS = ("flask", "helpsteer", "biggen")
CONDITIONS = ("direct", "reasoning")

# Spearman; for each model and method: FLASK, HelpSteer, BiGGen, each direct and reasoning.
MAIN = {
    "Mistral-7B": {
        "vscore": (0.266, 0.269, 0.267, 0.364, 0.138, 0.280),
        "e-score": (0.239, 0.279, 0.296, 0.380, 0.185, 0.283),
        "lager": (0.338, 0.295, 0.401, 0.377, 0.353, 0.329),
        "lager-tuned": (0.347, 0.298, 0.403, 0.376, 0.357, 0.333),
    },
    "Llama-3.1-8B": {
        "vscore": (0.334, 0.429, 0.374, 0.518, 0.273, 0.390),
        "e-score": (0.386, 0.446, 0.464, 0.525, 0.352, 0.403),
        "lager": (0.472, 0.456, 0.520, 0.524, 0.475, 0.443),
        "lager-tuned": (0.477, 0.460, 0.515, 0.524, 0.482, 0.444),
    },
    "InternLM3-8B": {
        "vscore": (0.423, 0.449, 0.388, 0.425, 0.374, 0.441),
        "e-score": (0.515, 0.472, 0.453, 0.430, 0.470, 0.470),
        "lager": (0.449, 0.468, 0.426, 0.429, 0.374, 0.469),
        "lager-tuned": (0.545, 0.489, 0.515, 0.474, 0.507, 0.490),
    },
    "Qwen2.5-14B": {
        "vscore": (0.547, 0.537, 0.420, 0.423, 0.458, 0.461),
        "e-score": (0.579, 0.555, 0.447, 0.452, 0.502, 0.457),
        "lager": (0.572, 0.567, 0.433, 0.473, 0.503, 0.507),
        "lager-tuned": (0.612, 0.572, 0.443, 0.472, 0.567, 0.524),
    },
    "Mistral-Small-24B": {
        "vscore": (0.528, 0.505, 0.420, 0.459, 0.542, 0.533),
        "e-score": (0.577, 0.532, 0.442, 0.486, 0.585, 0.555),
        "lager": (0.591, 0.542, 0.452, 0.485, 0.589, 0.562),
        "lager-tuned": (0.596, 0.542, 0.449, 0.487, 0.598, 0.566),
    },
    "Llama-3.3-70B": {
        "vscore": (0.518, 0.567, 0.435, 0.494, 0.559, 0.539),
        "e-score": (0.464, 0.540, 0.444, 0.488, 0.530, 0.506),
        "lager": (0.610, 0.598, 0.506, 0.520, 0.597, 0.585),
        "lager-tuned": (0.611, 0.598, 0.504, 0.519, 0.602, 0.584),
    },
    "GPT-4o-mini": {
        "vscore": (0.526, 0.535, 0.482, 0.535, 0.534, 0.509),
        "e-score": (0.579, 0.561, 0.500, 0.541, 0.573, 0.530),
    },
}

# Spearman, direct; for each strategy: InternLM3 on FLASK and HelpSteer, Mistral on FLASK and HelpSteer.
ABLATION_COLUMNS = (
    ("InternLM3-8B", "flask"),
    ("InternLM3-8B", "helpsteer"),
    ("Mistral-7B", "flask"),
    ("Mistral-7B", "helpsteer"),
)
ABLATION = {
    "lager-tuned": (0.545, 0.515, 0.347, 0.403),
    "prob-tuned": (0.452, 0.448, 0.299, 0.344),
    "lager-tuned-max": (0.373, 0.374, 0.268, 0.264),
    "prob-tuned-max": (0.367, 0.379, 0.268, 0.267),
    "lager": (0.449, 0.426, 0.338, 0.401),
    "prob": (0.442, 0.445, 0.306, 0.358),
    "lager-max": (0.379, 0.367, 0.265, 0.264),
    "prob-max": (0.364, 0.363, 0.268, 0.267),
    "e-score": (0.515, 0.453, 0.239, 0.296),
    "vscore": (0.423, 0.388, 0.266, 0.267),
}

# KL and min-max MSE on FLASK, direct, Llama-3.1-8B.
DISTRIBUTION = {"vscore": (0.312, 0.112), "e-score": (0.102, 0.092), "lager-tuned": (0.087, 0.060)}

# Spearman on EQ-Bench and F1 on SelfAware, in the order of METHODS.
EMOTION = {
    "Mistral-7B": (0.596, 0.618, 0.632, 0.635),
    "Llama-3.1-8B": (0.478, 0.652, 0.653, 0.657),
    "Qwen2.5-14B": (0.707, 0.759, 0.758, 0.763),
}
SELF_KNOWLEDGE = {"Mistral-7B": (0.605, 0.620, 0.620, 0.624), "Llama-3.1-8B": (0.553, 0.574, 0.590, 0.570)}
