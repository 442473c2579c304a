/** The models that ship in models/, by name. */
export const MODEL_NAMES: readonly string[] = ["lenet5", "lenet300", "lenet5-paper", "lenet300-paper"];
