// ESLint with type information. Run by scripts/lint.sh from the top of the repository.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const sizes = {
  'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
  'max-depth': ['error', 4],
  'max-params': ['error', 5],
  complexity: ['error', 16],
};

const common = {
  curly: ['error', 'multi-line'],
  eqeqeq: 'error',
  'no-console': 'error',
  'object-shorthand': 'error',
  'prefer-template': 'error',
  '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
  '@typescript-eslint/consistent-type-exports': 'error',
  '@typescript-eslint/explicit-module-boundary-types': 'error',
  '@typescript-eslint/no-explicit-any': ['error', { ignoreRestArgs: false }],
  '@typescript-eslint/no-import-type-side-effects': 'error',
  '@typescript-eslint/no-shadow': 'error',
  '@typescript-eslint/no-unsafe-type-assertion': 'error',
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
  '@typescript-eslint/prefer-readonly': 'error',
  '@typescript-eslint/restrict-template-expressions': [
    'error',
    { allowNumber: true, allowBoolean: true },
  ],
  '@typescript-eslint/strict-boolean-expressions': ['error', { allowNullableBoolean: true }],
  '@typescript-eslint/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: true },
  ],
};

// The addon is loaded in one place; everything else takes its typed face by injection.
const noNativeCode = [
  'error',
  {
    selector: 'Literal[value=/\\.node$/]',
    message: 'Only src/forwarding/addon loads the addon.',
  },
  {
    selector: "MemberExpression[object.name='process'][property.name='dlopen']",
    message: 'Only src/forwarding/addon loads the addon.',
  },
];

// Protocol machines take clock, randomness and timers as inputs (sans-I/O).
const injected = ['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'performance'].map(
  (name) => ({ name, message: 'Sans-I/O: timers and clocks are inputs and outputs here.' }),
);
const injectedProperties = [
  { object: 'Date', property: 'now', message: 'Sans-I/O: the clock is injected.' },
  { object: 'process', property: 'hrtime', message: 'Sans-I/O: the clock is injected.' },
  { object: 'Math', property: 'random', message: 'Sans-I/O: randomness is injected.' },
];

export default tseslint.config(
  { ignores: ['build/**', 'node_modules/**', 'src/rpc/gen/**', 'perf/results/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: process.cwd() },
    },
    rules: { ...common, ...sizes },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        URL: 'readonly',
        console: 'readonly',
        module: 'writable',
        require: 'readonly',
      },
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/forwarding/addon.ts', 'src/forwarding/addon/**'],
    rules: { 'no-restricted-syntax': noNativeCode },
  },
  {
    files: ['src/{ike,bgp,vpn,lib}/**/*.ts'],
    ignores: ['src/**/{transport,driver}/**', 'src/**/*{transport,driver}*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...injected],
      'no-restricted-properties': ['error', ...injectedProperties],
    },
  },
  {
    // A test reads as one story; helpers may assert what they know.
    files: ['test/**/*.ts', 'src/**/*.test.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
  {
    files: ['scripts/**', 'perf/**', 'src/cli/**'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['scripts/**', 'perf/**'],
    rules: { '@typescript-eslint/no-unsafe-type-assertion': 'off' },
  },
);
