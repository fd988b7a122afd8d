//! O bastante do protocolo do PostgreSQL (versão 3) para entrar, preparar a venda uma vez e depois só
//! repeti-la; e como se abre um, com ou sem outro que o copie. Não há senhas (o grupo privado confia em quem está nesta máquina) nem erros: um erro também
//! termina em `ReadyForQuery`, e a conta do fim o denuncia.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use testes::{Signal, ate, porta_livre};

use crate::fala::{self, Fala, trocar};
use crate::pares::{Aberto, ESTOQUE, esperar_que_escute, procurar};

/// A tabela, com uma linha só.
const CRIAR: &str = "CREATE TABLE estoque (n bigint NOT NULL)";

const VENDER: &str = "UPDATE estoque SET n = n - 1 WHERE n > 0 RETURNING n";

/// Conta mensagens `ReadyForQuery`. Uma mensagem é uma letra, o tamanho (quatro bytes, que se contam) e o
/// resto.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leitor {
    cabeca: [u8; 5],
    na_cabeca: usize,
    /// Bytes do corpo ainda por vir.
    corpo: usize,
}

impl Leitor {
    /// Quantas terminam nestes bytes.
    pub fn contar(&mut self, mut bytes: &[u8]) -> usize {
        let mut prontas = 0;
        loop {
            if self.na_cabeca == 5 {
                let pulo = self.corpo.min(bytes.len());
                self.corpo -= pulo;
                bytes = &bytes[pulo..];
                if self.corpo > 0 {
                    return prontas;
                }
                prontas += usize::from(self.cabeca[0] == b'Z');
                self.na_cabeca = 0;
            }
            let Some((byte, resto)) = bytes.split_first() else { return prontas };
            bytes = resto;
            self.cabeca[self.na_cabeca] = *byte;
            self.na_cabeca += 1;
            if let (5, [_, tamanho @ ..]) = (self.na_cabeca, self.cabeca) {
                self.corpo = (u32::from_be_bytes(tamanho) as usize).saturating_sub(4);
            }
        }
    }
}

/// Como se vende: portal e comando já preparados, sem parâmetros, e o `Sync` que pede a resposta.
pub fn fala() -> Fala {
    let executar = mensagem(b'E', b"\0\0\0\0\0");
    let pedido = [mensagem(b'B', b"\0venda\0\0\0\0\0\0\0"), executar, mensagem(b'S', b"")].concat();
    Fala { pedido, leitor: fala::Leitor::Postgres(Leitor::default()) }
}

/// Entra em uma conexão nova e prepara a venda nela.
///
/// # Errors
///
/// O servidor fechou, ou passou o prazo do socket.
pub fn entrar(fluxo: &mut TcpStream) -> io::Result<()> {
    // A abertura é a única mensagem sem letra.
    let abertura = mensagem(b'-', b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let leitor = fala::Leitor::Postgres(Leitor::default());
    trocar(fluxo, &abertura[1..], leitor, 1)?;
    let preparar = mensagem(b'P', format!("venda\0{VENDER}\0\0\0").as_bytes());
    trocar(fluxo, &[preparar, mensagem(b'S', b"")].concat(), leitor, 1)?;
    Ok(())
}

/// Executa um comando, em uma conexão só para ele; devolve o que se ouviu. Só depois da tabela criada se pode
/// [`entrar`].
///
/// # Errors
///
/// O servidor ainda não atende.
fn executar(aberto: &Aberto, comando: &str) -> io::Result<Vec<u8>> {
    let mut fluxo = TcpStream::connect(aberto.endereco)?;
    let abertura = mensagem(b'-', b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let leitor = fala::Leitor::Postgres(Leitor::default());
    let entrou = trocar(&mut fluxo, &abertura[1..], leitor, 1)?;
    if entrou.first() == Some(&b'E') {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    trocar(&mut fluxo, &mensagem(b'Q', format!("{comando}\0").as_bytes()), leitor, 1)
}

/// Um grupo privado, criado na hora, com as opções com que o PostgreSQL vem e mais estas.
///
/// # Errors
///
/// Não está instalado, ou não há como criar o grupo.
pub fn abrir(pasta: TempDir, opcoes: &[&str]) -> Result<Aberto, String> {
    let dono = quem_pode_ser()?;
    if let Some((usuario, grupo)) = dono {
        chown(pasta.path(), Some(usuario), Some(grupo)).map_err(|erro| erro.to_string())?;
    }
    let mut criar = programa("initdb", &pasta, dono)?;
    criar.args(["--auth=trust", "--no-sync", "-E", "UTF8", "-U", "postgres", "-D"]);
    rodar(criar.arg(dados(&pasta)))?;
    let aberto = servir(pasta, dono, opcoes)?;
    let tabela = format!("{CRIAR}; INSERT INTO estoque VALUES ({ESTOQUE})");
    ate("a tabela do PostgreSQL", || executar(&aberto, &tabela).ok());
    Ok(aberto)
}

/// Dois, o segundo cópia do primeiro, que só responde com a venda no disco dos dois. O primeiro é o que atende.
///
/// # Errors
///
/// Não está instalado, ou a cópia não o acompanha.
pub fn com_copia(pastas: [TempDir; 2], conexoes: usize) -> Result<[Aberto; 2], String> {
    let conexoes = format!("max_connections={}", conexoes + 20);
    let [pasta, outra] = pastas;
    let dono = quem_pode_ser()?;
    let principal = abrir(pasta, &["-c", &conexoes])?;
    if let Some((usuario, grupo)) = dono {
        chown(outra.path(), Some(usuario), Some(grupo)).map_err(|erro| erro.to_string())?;
    }
    let mut copiar = programa("pg_basebackup", &outra, dono)?;
    let porta = principal.endereco.port().to_string();
    copiar.args(["-h", "127.0.0.1", "-p", &porta, "-U", "postgres", "-R", "-c", "fast", "-D"]);
    rodar(copiar.arg(dados(&outra)))?;
    let copia = servir(outra, dono, &["-c", &conexoes])?;
    for comando in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
        executar(&principal, comando).map_err(|erro| erro.to_string())?;
    }
    ate("a cópia acompanhar o PostgreSQL", || {
        let estado = executar(&principal, "SELECT sync_state FROM pg_stat_replication").ok()?;
        String::from_utf8_lossy(&estado).contains("\u{4}sync").then_some(())
    });
    Ok([principal, copia])
}

fn dados(pasta: &TempDir) -> PathBuf {
    pasta.path().join("dados")
}

/// Um dos programas dele, que se recusam a ser o root.
fn programa(nome: &str, pasta: &TempDir, dono: Option<(u32, u32)>) -> Result<Command, String> {
    let mut comando = Command::new(procurar(nome)?);
    comando.env_remove("LANGUAGE").env("LC_ALL", "C").current_dir(pasta.path());
    if let Some((usuario, grupo)) = dono {
        comando.uid(usuario).gid(grupo);
    }
    Ok(comando)
}

fn rodar(comando: &mut Command) -> Result<(), String> {
    let feito = comando.stdin(Stdio::null()).output().map_err(|erro| erro.to_string())?;
    if feito.status.success() {
        return Ok(());
    }
    let qual = Path::new(comando.get_program()).display();
    Err(format!("{qual} falhou: {}", String::from_utf8_lossy(&feito.stderr).trim()))
}

fn servir(pasta: TempDir, dono: Option<(u32, u32)>, opcoes: &[&str]) -> Result<Aberto, String> {
    let porta = porta_livre();
    let mut comando = programa("postgres", &pasta, dono)?;
    comando.arg("-D").arg(dados(&pasta)).args(opcoes);
    comando.args(["-p", &porta.to_string(), "-h", "127.0.0.1", "-k", ""]);
    // Morto sem aviso, deixaria para trás a memória compartilhada.
    Ok(esperar_que_escute(comando, porta, Some(pasta)).com_despedida(Signal::INT))
}

/// O PostgreSQL recusa-se a ser root: quem ele pode ser, se somos.
fn quem_pode_ser() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let contas = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let conta = |nome: &str| {
        let campos: Vec<&str> = contas
            .lines()
            .map(|linha| linha.split(':').collect())
            .find(|campos: &Vec<&str>| campos.first() == Some(&nome))?;
        Some((campos.get(2)?.parse().ok()?, campos.get(3)?.parse().ok()?))
    };
    let achada = conta("postgres").or_else(|| conta("nobody"));
    achada.map(Some).ok_or_else(|| "o PostgreSQL não roda como root, e não há outra conta".into())
}

fn mensagem(letra: u8, corpo: &[u8]) -> Vec<u8> {
    let tamanho = (corpo.len() as u32 + 4).to_be_bytes();
    [&[letra][..], &tamanho, corpo].concat()
}
