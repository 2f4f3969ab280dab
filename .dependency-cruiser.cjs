/** The walls of the house (see CONTRIBUTING): the arrows run down only. */
const below = (from, to, comment) => ({ name: comment, severity: 'error', comment, from, to })
const tests = ['\\.test\\.tsx?$', '^src/(testing|attacks)/']

module.exports = {
  forbidden: [
    below({}, { circular: true }, 'no-circles'),
    below({ path: '^src/kernel/', pathNot: tests }, { pathNot: '^src/kernel/' }, 'kernel-needs-nobody'),
    below(
      { path: '^src/portal/' },
      { path: '^src/', pathNot: '^src/(portal|kernel)/' },
      'portal-knows-only-the-kernel',
    ),
    below({ path: '^src/', pathNot: '^src/portal/' }, { path: '^src/portal/' }, 'nobody-imports-the-portal'),
    below(
      { path: '^src/tenancy/', pathNot: tests },
      { path: '^src/(http|jobs|erp|platform|server|cli)/' },
      'tenancy-is-below',
    ),
    below(
      { path: '^src/jobs/', pathNot: tests },
      { path: '^src/(http|erp|platform|server|cli)/' },
      'jobs-are-below',
    ),
    below(
      { path: '^src/http/', pathNot: tests },
      { path: '^src/(erp|platform|server|cli)/' },
      'http-is-below-the-business',
    ),
    below(
      { path: '^src/(mail|audit)/', pathNot: tests },
      { path: '^src/(http|jobs|erp|platform|server|cli)/' },
      'mail-and-audit-are-below-the-business',
    ),
    below(
      { path: '^src/accounts/', pathNot: tests },
      { path: '^src/(jobs|erp|platform|server|cli)/' },
      'accounts-are-below-the-business',
    ),
    below(
      { path: '^src/(tenancy|http|mail|jobs)/', pathNot: tests },
      { path: '^src/accounts/' },
      'accounts-are-above-the-ground-floor',
    ),
    below(
      { path: '^src/outside/', pathNot: tests },
      { path: '^src/', pathNot: '^src/(outside|kernel)/' },
      'outside-needs-nobody',
    ),
    below(
      { path: '^src/erp/', pathNot: tests },
      { path: '^src/(platform|server|cli)/' },
      'the-erp-never-knows-the-platform',
    ),
    below(
      { path: '^src/platform/', pathNot: tests },
      { path: '^src/(server|cli)/' },
      'the-platform-knows-no-wiring',
    ),
    below(
      { path: '^src/platform/', pathNot: tests },
      { path: '^src/erp/', pathNot: '^src/erp/onboarding\\.ts$' },
      'the-platform-enters-the-erp-by-one-door',
    ),
    below(
      { path: '^src/', pathNot: ['^src/(tenancy|jobs)/', '^src/platform/announcements\\.ts$', ...tests] },
      { path: '^node_modules/(pg|@types/pg)/' },
      'only-tenancy-opens-connections',
    ),
    below(
      { path: ['/rules/', '/contract\\.ts$', 'definition\\.ts$'], pathNot: tests },
      { path: '^src/', pathNot: ['^src/kernel/', '/rules/', '/contract\\.ts$', 'definition\\.ts$'] },
      'what-is-pure-stays-pure',
    ),
    below({ path: '^src/', pathNot: tests }, { path: tests }, 'no-test-code-in-the-product'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)node_modules/(?!pg/|@types/pg/)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.server.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
