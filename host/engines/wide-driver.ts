/** The driver of modules whose elements are int16: what runs int8 alone, such as a page's runtime, goes without it. */
import * as abi from "../../assembly/abi.js";
import { valuesOf } from "../model/geometry.js";
import { driverOf, type CoreInstance, type Driver } from "./driver.js";
import { spanOf, forEachElement, type TensorEntry } from "./linear-tensor.js";

/** As `driverOf`. Such a model's inputs come as a whole. */
export function wideDriverOf(name: string, instance: CoreInstance, budget?: number): Driver {
  return {
    ...driverOf(name, instance, budget, [abi.INTERFACE_VERSION_WIDE]),
    read: (tensor) => {
      const { cells, steps } = cellsOf(instance, tensor);
      const values = new Int16Array(valuesOf(tensor.shape));
      forEachElement(steps, (i, at) => (values[i] = cells[at]));
      return values;
    },
    write: (tensor, values) => {
      const { bytes, cells, steps } = cellsOf(instance, tensor);
      forEachElement(steps, (i, at) => (cells[at] = values[i]));
      instance.write(tensor.address, bytes);
    },
  };
}

/** A copy of what stands from the first element to behind the last, as bytes and as elements, and the entry with steps in elements. */
function cellsOf(instance: CoreInstance, entry: TensorEntry) {
  const steps = { ...entry, pitch: entry.pitch / 2, plane: entry.plane / 2 };
  const bytes = instance.read(entry.address, 2 * spanOf(steps, entry.shape[1]));
  return { bytes, cells: new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2), steps };
}
