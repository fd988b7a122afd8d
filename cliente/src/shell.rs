//! O shell que lê o comando de `--iniciar`: as aspas dele, e os programas que um comando abre. Só lida com textos; qual é
//! o deste sistema diz [`crate::sistema::SHELL`].

/// O que vem antes de um programa e não é ele.
const ANTES_DO_PROGRAMA: [&str; 5] = ["exec", "env", "nohup", "time", "call"];

/// Quem lê o comando.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// O `sh` de um Unix.
    Sh,
    /// O `cmd` do Windows.
    Cmd,
}

impl Shell {
    /// Um argumento, com as aspas de que precisa. As do `cmd` servem também no PowerShell, se não há outras dentro.
    pub fn citar(self, argumento: &str) -> String {
        let simples = |letra: char| letra.is_alphanumeric() || "-_.,:/\\=+@{}".contains(letra);
        match self {
            Shell::Sh => shell_words::quote(argumento).into_owned(),
            Shell::Cmd if !argumento.is_empty() && argumento.chars().all(simples) => {
                argumento.into()
            }
            Shell::Cmd => format!("\"{}\"", argumento.replace('"', "\\\"")),
        }
    }

    /// Vários argumentos, em uma linha que se pode digitar.
    pub fn juntar<'a>(self, argumentos: impl IntoIterator<Item = &'a str>) -> String {
        argumentos.into_iter().map(|um| self.citar(um)).collect::<Vec<_>>().join(" ")
    }

    /// Como se costuma chamar o Python.
    pub fn python(self) -> &'static str {
        match self {
            Shell::Sh => "python3",
            Shell::Cmd => "py",
        }
    }

    /// O que há de errado com as aspas de um comando, se há: o `cmd` não entende as simples, e parte nos espaços o que
    /// está entre elas.
    pub fn aspas_erradas(self, comando: &str) -> Option<&'static str> {
        let sobra = !comando.matches('\'').count().is_multiple_of(2);
        (comando.starts_with('\'') && (self == Shell::Cmd || sobra))
            .then_some("as aspas simples não se fecham; no cmd do Windows, use aspas duplas")
    }

    /// Os programas que um comando abre: a primeira palavra de cada parte dele, sem as aspas.
    pub fn programas(self, comando: &str) -> Vec<&str> {
        let partes = comando.split(['&', '|', ';', '(', ')', '\n']);
        partes.filter_map(|parte| self.programa(parte)).collect()
    }

    fn programa(self, parte: &str) -> Option<&str> {
        let aspas: &[char] = match self {
            Shell::Sh => &['"', '\''],
            Shell::Cmd => &['"'],
        };
        let mut resto = parte.trim_start();
        loop {
            let (palavra, depois) = match resto.strip_prefix(aspas) {
                Some(dentro) => dentro.split_once(aspas).unwrap_or((dentro, "")),
                None => resto.split_once(char::is_whitespace).unwrap_or((resto, "")),
            };
            let antes = palavra.contains('=') || ANTES_DO_PROGRAMA.contains(&palavra);
            if palavra.is_empty() || !antes {
                return (!palavra.is_empty()).then_some(palavra);
            }
            resto = depois.trim_start();
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn o_que_se_cita_o_shell_le_de_volta() {
        for (argumento, sh, cmd) in [
            ("--porta", "--porta", "--porta"),
            ("py servidor.py", "'py servidor.py'", "\"py servidor.py\""),
            (r"C:\x\a.py", r"'C:\x\a.py'", r"C:\x\a.py"),
            (r#""C:\a b\x.exe" 80"#, r#"'"C:\a b\x.exe" 80'"#, r#""\"C:\a b\x.exe\" 80""#),
            ("", "''", "\"\""),
        ] {
            assert_eq!(
                (Shell::Sh.citar(argumento), Shell::Cmd.citar(argumento)),
                (sh.into(), cmd.into())
            );
        }
        assert_eq!(Shell::Cmd.juntar(["a", "b c"]), "a \"b c\"");
    }

    #[test]
    fn as_aspas_simples_do_cmd_sao_vistas() {
        for (comando, sh, cmd) in [
            ("'python", true, true),
            ("'servidor.exe'", false, true),
            ("'a b' c", false, true),
            ("python3 'a b.py'", false, false),
            ("echo it's", false, false),
        ] {
            let erradas = [Shell::Sh, Shell::Cmd].map(|s| s.aspas_erradas(comando).is_some());
            assert_eq!(erradas, [sh, cmd], "{comando}");
        }
    }

    #[test]
    fn os_programas_de_um_comando_sao_a_primeira_palavra_de_cada_parte() {
        for (comando, programas) in [
            ("python3 servidor.py", &["python3"][..]),
            ("cd 'a pasta' && python3 x.py", &["cd", "python3"]),
            ("PORTA=80 exec node s.js; true", &["node", "true"]),
            (r#""C:\a b\s.exe" --porta "80""#, &[r"C:\a b\s.exe"]),
            ("", &[]),
        ] {
            assert_eq!(Shell::Sh.programas(comando), programas, "{comando}");
        }
        assert_eq!(Shell::Cmd.programas("'x y'"), ["'x"]);
    }
}
