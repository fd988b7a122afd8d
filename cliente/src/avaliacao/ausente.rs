//! O programa que o comando pede e que este sistema não tem: o que o shell diz então, e o que tentar. Só lê textos; quem
//! executa é o zelador, e quem conta, o [`servidor`](super::servidor).

use crate::shell::Shell;

/// O código de um `sh` que não achou o programa.
const DO_SH: i32 = 127;

/// O do `cmd`, e também o do `python3` que só leva à loja do Windows.
const DO_CMD: i32 = 9009;

/// Os nomes do Python.
const PYTHON: [&str; 3] = ["python3", "python", "py"];

/// Quantas linhas o `cmd` usa para dizer que não achou um programa, e não tem um código só para isso.
const LINHAS_DO_CMD: usize = 2;

/// O que dizer de um comando que terminou com este código e este console, se foi por não haver o programa.
pub fn programa_que_falta(
    shell: Shell,
    comando: &str,
    codigo: i32,
    console: &str,
) -> Option<String> {
    let programas = shell.programas(comando);
    let citado = programas.iter().copied().find(|nome| disse(shell, console, nome));
    let falta = match (shell, codigo) {
        (Shell::Sh, DO_SH) => citado?,
        (Shell::Cmd, DO_CMD) => {
            let python = || programas.iter().copied().find(|nome| PYTHON.contains(nome));
            citado.or_else(python).or(programas.first().copied())?
        }
        // Executado com /C, o cmd termina com 1, como qualquer programa que falha: só o texto diz.
        (Shell::Cmd, 1) if linhas(console).count() <= LINHAS_DO_CMD => citado?,
        _ => return None,
    };
    let tentar = match outro_nome(shell, falta) {
        Some(outro) => {
            let outro = trocar(comando, falta, outro);
            format!("experimente --iniciar {}", shell.citar(&outro))
        }
        None => "confira o nome e o caminho, ou instale-o".into(),
    };
    Some(format!("não há aqui um programa '{falta}'; {tentar}"))
}

fn linhas(console: &str) -> impl Iterator<Item = &str> {
    console.lines().filter(|linha| !linha.trim().is_empty())
}

/// O shell reclamou deste programa? O texto muda com a língua, mas o nome aparece sempre, à maneira de cada um.
fn disse(shell: Shell, console: &str, programa: &str) -> bool {
    match shell {
        // `sh: 1: python: not found`
        Shell::Sh => console.contains(&format!(": {programa}: ")),
        // `'python3' is not recognized as an internal or external command,`
        Shell::Cmd => linhas(console).next().is_some_and(|primeira| {
            ['\'', '"'].iter().any(|aspa| primeira.contains(&format!("{aspa}{programa}{aspa}")))
        }),
    }
}

/// Outro nome com que este sistema costuma ter o mesmo programa.
fn outro_nome(shell: Shell, programa: &str) -> Option<&'static str> {
    match (shell, programa) {
        (Shell::Cmd, "python3" | "python") => Some("py"),
        (Shell::Cmd, "py") | (Shell::Sh, "python3") => Some("python"),
        (Shell::Sh, "python" | "py") => Some("python3"),
        _ => None,
    }
}

/// O comando com a primeira palavra igual a `de` trocada.
fn trocar(comando: &str, de: &str, por: &str) -> String {
    let palavra = |letra: char| letra.is_alphanumeric() || "._-/\\".contains(letra);
    let inteira = |onde: usize| {
        !comando[..onde].ends_with(palavra) && !comando[onde + de.len()..].starts_with(palavra)
    };
    match comando.match_indices(de).map(|(onde, _)| onde).find(|onde| inteira(*onde)) {
        Some(onde) => format!("{}{por}{}", &comando[..onde], &comando[onde + de.len()..]),
        None => comando.into(),
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    const DO_WINDOWS: &str = "'python3' is not recognized as an internal or external command,\r\n\
                              operable program or batch file.\r\n";
    /// O `cmd` escreve na página de código do console, e os acentos chegam estragados.
    const DO_WINDOWS_DAQUI: &str = "'python3' n\u{fffd}o \u{fffd} reconhecido como um comando interno\r\n\
                                    ou externo, um programa oper\u{fffd}vel ou um arquivo em lotes.\r\n";
    const DA_LOJA: &str = "Python was not found; run without arguments to install from the Microsoft Store, or \
                           disable this shortcut from Settings > Manage App Execution Aliases.\r\n";

    #[test]
    fn no_windows_o_python3_que_falta_e_o_da_loja_levam_ao_py() {
        for (codigo, console) in [
            (9009, DO_WINDOWS),
            (1, DO_WINDOWS),
            (1, DO_WINDOWS_DAQUI),
            (9009, DA_LOJA),
            (9009, ""),
        ] {
            assert_eq!(
                programa_que_falta(Shell::Cmd, "python3 servidor.py", codigo, console).as_deref(),
                Some("não há aqui um programa 'python3'; experimente --iniciar \"py servidor.py\""),
                "{codigo} {console}"
            );
        }
    }

    #[test]
    fn em_um_unix_o_nome_do_python_tambem_se_acerta() {
        for (console, comando, falta, tentar) in [
            ("sh: 1: python: not found", "python s.py", "python", "'python3 s.py'"),
            ("sh: py: command not found\n", "cd x && py s.py", "py", "'cd x && python3 s.py'"),
            (
                "sh: linha 1: python3: comando não encontrado",
                "python3 s.py",
                "python3",
                "'python s.py'",
            ),
        ] {
            assert_eq!(
                programa_que_falta(Shell::Sh, comando, 127, console),
                Some(format!("não há aqui um programa '{falta}'; experimente --iniciar {tentar}"))
            );
        }
    }

    #[test]
    fn de_outro_programa_diz_o_que_conferir() {
        let conferir = "confira o nome e o caminho, ou instale-o";
        for (shell, comando, codigo, console, falta) in [
            (Shell::Sh, "node s.js", 127, "sh: 1: node: not found", "node"),
            (Shell::Sh, "./servidor", 127, "sh: 1: ./servidor: not found", "./servidor"),
            (
                Shell::Cmd,
                r#""C:\a b\s.exe" 80"#,
                1,
                r#"'"C:\a b\s.exe"' is not recognized"#,
                r"C:\a b\s.exe",
            ),
            (Shell::Cmd, "node s.js", 9009, "", "node"),
        ] {
            assert_eq!(
                programa_que_falta(shell, comando, codigo, console),
                Some(format!("não há aqui um programa '{falta}'; {conferir}"))
            );
        }
    }

    #[test]
    fn quem_executou_e_falhou_nao_se_confunde_com_quem_falta() {
        let rastro = "Traceback (most recent call last):\n  File \"python\", line 1\nNameError: name 'py' is not defined";
        for (shell, comando, codigo, console) in [
            (Shell::Cmd, "py s.py", 1, rastro),
            (Shell::Cmd, "py s.py", 1, "falta o argumento 'porta'"),
            (Shell::Cmd, "py s.py", 0, "'py' is not recognized"),
            (Shell::Sh, "python3 s.py", 1, "sh: 1: python3: not found"),
            // Um script que não achou outro programa.
            (Shell::Sh, "sh s.sh", 127, "s.sh: 3: socat: not found"),
            (Shell::Sh, "python3 s.py", 127, ""),
            (Shell::Sh, "", 127, ""),
        ] {
            assert_eq!(
                programa_que_falta(shell, comando, codigo, console),
                None,
                "{comando} {console}"
            );
        }
    }

    #[test]
    fn so_a_palavra_inteira_se_troca() {
        assert_eq!(trocar("cd py-x && py s.py", "py", "python"), "cd py-x && python s.py");
        assert_eq!(trocar("x", "py", "python"), "x");
    }
}
