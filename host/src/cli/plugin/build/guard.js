/**
 * What the host calls: the plugin's own functions, with a look at what they return and throw before it leaves the language.
 * The runtime itself drops the stack of an error, and takes some wrong types for nothing. `tidegate plugin build` writes this.
 */

import { lines } from './lines.js';

const ends = (signed, bits) => (signed ? [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n] : [0n, 2n ** bits - 1n]);
const INTEGERS = Object.fromEntries(
  [8n, 16n, 32n, 64n].flatMap((bits) => [[`u${bits}`, ends(false, bits)], [`s${bits}`, ends(true, bits)]]),
);
const NUMBERS = [...Object.keys(INTEGERS), 'f32', 'f64'];
/** Frames of this file and of the runtime. */
const NOT_ITS_OWN = /@build\/entry\/|\/initializer\.js:/;
const CAUSES_MAX = 8;

const camel = (name) => name.toLowerCase().replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const typeName = (name) => camel(`-${name}`);
const isObject = (value) => typeof value === 'object' && value !== null;

function shown(value) {
  if (!isObject(value)) return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
  const name = value.constructor?.name ?? 'object';
  return ArrayBuffer.isView(value) ? name : `${name} ${JSON.stringify(value)?.slice(0, 80)}`;
}

function need(holds, where, what, value) {
  if (!holds) throw new TypeError(`${where} needs ${what}, got ${shown(value)}`);
}

/** Throws a TypeError that names the field and what it needs. */
function check(value, [kind, ...parts], where) {
  switch (kind) {
    case 'string':
      return need(typeof value === 'string', where, 'string', value);
    case 'bool':
      return need(typeof value === 'boolean', where, 'boolean', value);
    case 'f32':
    case 'f64':
      return need(typeof value === 'number', where, 'number', value);
    case 'char':
      return need(typeof value === 'string' && [...value].length === 1, where, 'string of one character', value);
    case 'bytes':
      if (Array.isArray(value)) return check(value, ['list', ['u8']], where);
      return need(ArrayBuffer.isView(value) || value instanceof ArrayBuffer, where, 'Uint8Array', value);
    case 'list':
      // Of numbers alone: the runtime would take those of a view for what the list is of.
      if (ArrayBuffer.isView(value) && NUMBERS.includes(parts[0][0])) return undefined;
      need(Array.isArray(value), where, 'Array', value);
      return value.forEach((element, index) => check(element, parts[0], `${where}[${index}]`));
    case 'tuple':
      need(Array.isArray(value) && value.length === parts.length, where, `Array of ${parts.length}`, value);
      return parts.forEach((part, index) => check(value[index], part, `${where}[${index}]`));
    case 'option':
      return value === undefined || value === null ? undefined : check(value, parts[0], where);
    case 'enum':
      return need(parts[1].includes(value), where, parts[1].map((name) => `'${name}'`).join(' or '), value);
    case 'record': {
      const [name, fields] = [typeName(parts[0]), parts[1].map(([field, part]) => [camel(field), part])];
      need(isObject(value), where, `${name} { ${fields.map(([field]) => field).join(', ')} }`, value);
      return fields.forEach(([field, part]) => check(value[field], part, `${where} → ${name}.${field}`));
    }
    case 'variant': {
      const [name, cases] = [typeName(parts[0]), parts[1]];
      const tags = cases.map(([tag]) => `'${tag}'`).join(' or ');
      need(isObject(value), where, `${name} { tag: ${tags}, val }`, value);
      const found = cases.find(([tag]) => tag === value.tag);
      need(found, `${where} → ${name}.tag`, tags, value.tag);
      return found[1][0] === 'none' ? undefined : check(value.val, found[1], `${where} → ${name}.val`);
    }
    default:
      if (!(kind in INTEGERS)) return undefined;
      const [least, most] = INTEGERS[kind];
      const isWhole = typeof value === 'bigint' || Number.isInteger(value);
      return need(isWhole && least <= value && value <= most, where, `whole number from ${least} to ${most}`, value);
  }
}

/** With the lines of the sources that a bundler or a compiler made one file of. */
function frame(line) {
  return line.replace(/@(.+):(\d+):\d+$/, (whole, file, number) => {
    const source = lines[file]?.[number - 1];
    return source ? `@${source}` : whole;
  });
}

function told(error, depth = 0) {
  if (!(error instanceof Error)) {
    return `thrown: ${shown(error)}, which is no Error and so tells no line; \`throw new Error(…)\` does`;
  }
  const stack = (error.stack ?? '').split('\n').filter((line) => line && !NOT_ITS_OWN.test(line));
  const text = [`${error.name}: ${error.message}`, ...stack.map((line) => `  ${frame(line)}`)].join('\n');
  if (error.cause === undefined || depth === CAUSES_MAX) return text;
  return `${text}\ncaused by ${told(error.cause, depth + 1)}`;
}

/** Ends the call as a trap, with the error on stderr. */
function end(error) {
  console.error(told(error));
  // The runtime asks for a payload, and prints what that throws: no Error, or it would print a stack of its own.
  throw { get payload() { throw 'the error above ended the call'; } };
}

/** With functions that check what they return and throw. */
export function guarded(implementation, shapes) {
  // What is missing is told by the build.
  if (!isObject(implementation)) return undefined;
  const functions = Object.entries(shapes).map(([wit, shape]) => {
    const name = camel(wit);
    if (typeof implementation[name] !== 'function') return [name, undefined];
    return [name, guardedFunction(name, (...inputs) => implementation[name](...inputs), shape)];
  });
  return { ...implementation, ...Object.fromEntries(functions) };
}

function guardedFunction(name, call, { returns, error: errors }) {
  const returned = (value) => {
    try {
      // As the runtime has it: a result may be returned as such too.
      if (isObject(value) && value.tag === 'ok') check(value.val, returns, `${name}()`);
      else if (isObject(value) && value.tag === 'err') check(value.val, errors, `the error of ${name}()`);
      else check(value, returns, `${name}()`);
    } catch (wrong) {
      end(Object.assign(wrong, { stack: '' }));
    }
    return value;
  };
  const thrown = (error) => {
    const payload = isObject(error) && Object.hasOwn(error, 'payload') ? error.payload : error;
    if (payload instanceof Error || !isObject(payload) || !Object.hasOwn(payload, 'tag')) end(error);
    try {
      check(payload, errors, `the error of ${name}()`);
    } catch (wrong) {
      end(Object.assign(wrong, { stack: '' }));
    }
    throw error;
  };
  return (...inputs) => {
    let value;
    try {
      value = call(...inputs);
    } catch (error) {
      return thrown(error);
    }
    return typeof value?.then === 'function' ? value.then(returned, thrown) : returned(value);
  };
}
