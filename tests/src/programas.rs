//! Os programas sob teste, construídos pelo próprio teste.
//!
//! O cargo só constrói os binários de outra crate se alguém pedir, e `cargo test -p testes` não
//! pede. Construir aqui dispensa qualquer passo antes do teste, e garante que ele nunca prova um
//! binário velho.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::process::geteuid;

/// O caminho do programa `nome` desta workspace (de um exemplo, `examples/nome`), construído com o mesmo perfil deste
/// teste. Pede-se a workspace inteira: com outros pacotes o cargo escolheria outros recursos para as dependências,
/// e as compilaria todas outra vez.
///
/// # Panics
///
/// O programa não compila ou não existe.
pub fn binario(nome: &str) -> PathBuf {
    static PASTA: OnceLock<PathBuf> = OnceLock::new();
    achar(
        PASTA.get_or_init(|| construir(deste_teste(), &["--workspace", "--bins", "--examples"])),
        nome,
    )
}

/// Um exemplo do servidor, sempre otimizado, com qualquer perfil que o teste tenha. Só ele: otimizar demora.
///
/// # Panics
///
/// O exemplo não compila ou não existe.
pub fn exemplo_otimizado(nome: &str) -> PathBuf {
    let pasta = construir("release", &["-p", "servidor", "--example", nome]);
    achar(&pasta, &format!("examples/{nome}"))
}

fn achar(pasta: &Path, nome: &str) -> PathBuf {
    let caminho = pasta.join(format!("{nome}{}", env::consts::EXE_SUFFIX));
    assert!(caminho.is_file(), "não há {}", caminho.display());
    caminho
}

/// Um programa desta workspace pronto para [`Processo::iniciar`](crate::Processo::iniciar), com as
/// duas saídas capturadas e sem o que o ambiente de quem testa possa dizer sobre cores.
pub fn comando(nome: &str, argumentos: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut comando = capturado(binario(nome).as_os_str());
    comando.args(argumentos);
    comando
}

/// O mesmo comando, executado por outro programa: as palavras de `por` (`["strace", "-f"]`), e depois
/// as dele.
///
/// # Panics
///
/// `por` não diz que programa é.
pub fn por_meio_de(por: &[impl AsRef<OsStr>], comando: &Command) -> Command {
    let (programa, argumentos) = por.split_first().unwrap();
    let mut outro = capturado(programa.as_ref());
    outro.args(argumentos).arg(comando.get_program()).args(comando.get_args());
    outro
}

/// Este `comando`, de um programa da workspace, executado por quem não manda na máquina; `None`, dizendo
/// que se pula o teste, se não há como. Na `pasta` fica uma cópia do programa: o de verdade pode estar
/// onde só o root entra.
///
/// # Panics
///
/// Não se pôde copiar o programa.
pub fn sem_privilegios(pasta: &Path, comando: &Command) -> Option<Command> {
    let ninguem = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    if !geteuid().is_root() {
        return Some(por_meio_de(&["env"], comando));
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        println!("pulado: sem o setpriv, o root não deixa de ser root");
        return None;
    }
    let copia = pasta.join("programa");
    // Quem copia é outro processo: um filho que outro teste criasse a meio da nossa escrita impediria de
    // executar a cópia ("text file busy").
    let copiou = Command::new("cp").arg(comando.get_program()).arg(&copia).status();
    assert!(copiou.is_ok_and(|estado| estado.success()));
    for caminho in [pasta, &copia] {
        fs::set_permissions(caminho, Permissions::from_mode(0o755)).unwrap();
    }
    let mut copiado = Command::new(copia);
    copiado.args(comando.get_args());
    Some(por_meio_de(&ninguem, &copiado))
}

fn capturado(programa: &OsStr) -> Command {
    let mut comando = Command::new(programa);
    comando.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for cor in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        comando.env_remove(cor);
    }
    // Se algo entrar em pânico, que se veja: os testes procuram por isso.
    comando.env("RUST_BACKTRACE", "1");
    comando
}

/// A pasta do perfil deste teste. O executável dele está em `<alvo>/<perfil>/deps`, quer o alvo venha de
/// `CARGO_TARGET_DIR`, de `--target-dir` ou da configuração.
fn pasta_deste_teste() -> PathBuf {
    let este = env::current_exe().unwrap();
    este.ancestors().nth(2).unwrap().into()
}

/// O perfil deste teste, como o cargo o chama.
fn deste_teste() -> &'static str {
    static PERFIL: OnceLock<String> = OnceLock::new();
    PERFIL.get_or_init(|| match pasta_deste_teste().file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev".into(),
        Some(outro) => outro.into(),
    })
}

/// Constrói estes programas e diz a pasta em que ficaram.
fn construir(perfil: &str, quais: &[&str]) -> PathBuf {
    let deste = pasta_deste_teste();
    let alvo = deste.parent().unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let saida = Command::new(cargo)
        .arg("build")
        .args(quais)
        .args(["--profile", perfil])
        .arg("--target-dir")
        .arg(alvo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let erros = String::from_utf8_lossy(&saida.stderr);
    assert!(saida.status.success(), "os programas não compilam:\n{erros}");
    alvo.join(if perfil == "dev" { "debug" } else { perfil })
}
