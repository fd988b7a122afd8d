//! Quem se compara: cada par sabe abrir-se em uma porta livre desta máquina, que língua fala e como se
//! confere, no fim, que o contador dele desceu tanto quanto se pediu. Um par que não está instalado, ou
//! que não aguenta o que se pede, diz por quê; nunca some da tabela.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;
use testes::{Processo, Signal, ate, comando, executar, porta_livre};

use crate::fala::{Fala, Leitor};
use crate::{gasto, postgres};

/// Com quanto se abre: não acaba, e o restante tem sempre nove algarismos.
pub const ESTOQUE: u64 = 1_000_000_000;

/// Um servidor da comparação.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Par {
    /// O nosso, calado.
    Servidor,
    /// O nosso, com o registro em um arquivo.
    ServidorRegistro,
    /// O piso: lê linhas e devolve linhas.
    Eco,
    /// O modelo de uma thread por conexão, em Rust, com a trava.
    Threads,
    /// O servidor do enunciado, em Python.
    Enunciado,
    /// `DECR`, sem persistência.
    Redis,
    /// `decr`, com uma thread.
    Memcached,
    /// O nosso, com o livro: cada venda no disco antes da resposta.
    ServidorLivro,
    /// `DECR`, com o diário no disco antes da resposta.
    RedisDuravel,
    /// Um `UPDATE` por venda.
    Postgres,
}

/// Um par aberto. Morre, com os arquivos dele, quando se larga.
#[derive(Debug)]
pub struct Aberto {
    processo: Processo,
    /// Onde escuta.
    pub endereco: SocketAddr,
    /// O sinal de quem precisa de tempo para arrumar a casa; os outros morrem como estão.
    despedida: Option<Signal>,
    // Depois do processo: a pasta só se apaga com ele morto.
    _pasta: Option<TempDir>,
}

impl Drop for Aberto {
    fn drop(&mut self) {
        if let Some(sinal) = self.despedida {
            self.processo.sinal(sinal);
            self.processo.termino();
        }
    }
}

impl Aberto {
    /// Termina-se com este sinal, e espera-se.
    pub fn com_despedida(mut self, sinal: Signal) -> Self {
        self.despedida = Some(sinal);
        self
    }

    /// A CPU que ele já gastou.
    pub fn cpu(&self) -> Duration {
        gasto::cpu(self.processo.pid())
    }

    /// A memória que ele ocupa, em bytes.
    pub fn memoria(&self) -> u64 {
        gasto::memoria(self.processo.pid())
    }
}

impl Par {
    /// Os que não prometem nada a um disco.
    pub const RAPIDOS: [Par; 7] = [
        Par::Servidor,
        Par::ServidorRegistro,
        Par::Eco,
        Par::Threads,
        Par::Enunciado,
        Par::Redis,
        Par::Memcached,
    ];

    /// Os que só respondem com a venda no disco.
    pub const DURAVEIS: [Par; 3] = [Par::ServidorLivro, Par::RedisDuravel, Par::Postgres];

    /// Como se chama nas tabelas, e em `--pares`.
    pub fn nome(self) -> &'static str {
        match self {
            Par::Servidor => "servidor",
            Par::ServidorRegistro => "servidor+registro",
            Par::Eco => "eco",
            Par::Threads => "threads",
            Par::Enunciado => "enunciado",
            Par::Redis => "redis",
            Par::Memcached => "memcached",
            Par::ServidorLivro => "servidor+livro",
            Par::RedisDuravel => "redis+diario",
            Par::Postgres => "postgres",
        }
    }

    /// O que é, em uma linha.
    pub fn descricao(self) -> &'static str {
        match self {
            Par::Servidor => "servidor --silencioso",
            Par::ServidorRegistro => "servidor --registro ARQUIVO",
            Par::Eco => "o piso: um laço do mio que só conta linhas (servidor/examples/eco.rs)",
            Par::Threads => {
                "uma thread por conexão, em Rust, com trava (examples/thread_por_conexao)"
            }
            Par::Enunciado => {
                "o servidor do enunciado, em Python (threads e Lock; sem pedidos em fila)"
            }
            Par::Redis => "redis-server --save '' --appendonly no; DECR",
            Par::Memcached => {
                "memcached -t 1 -U 0 (uma thread, como os outros; o padrão são 4); decr"
            }
            Par::ServidorLivro => "servidor --silencioso --livro ARQUIVO",
            Par::RedisDuravel => "redis-server --appendonly yes --appendfsync always; DECR",
            Par::Postgres => "PostgreSQL como se instala; UPDATE ... RETURNING já preparado",
        }
    }

    /// A língua dele.
    pub fn fala(self) -> Fala {
        match self {
            Par::Redis | Par::RedisDuravel => {
                Fala { pedido: resp(&["DECR", "estoque"]), ..Fala::de_linhas("") }
            }
            Par::Memcached => Fala::de_linhas("decr estoque 1\r\n"),
            Par::Postgres => postgres::fala(),
            _ => Fala::de_linhas("COMPRAR\n"),
        }
    }

    /// Esta célula faz sentido para ele? O que não faz não se mede, e a tabela mostra um traço.
    pub fn aceita(self, conexoes: usize, em_voo: usize) -> bool {
        match self {
            // Cada recv é um comando: não há como mandar dois.
            Par::Enunciado => em_voo == 1 && conexoes <= 1000,
            // Um processo por conexão, e até cem no padrão.
            Par::Postgres => conexoes <= 50,
            _ => true,
        }
    }

    /// Abre-o e espera que atenda, com [`ESTOQUE`] unidades.
    ///
    /// # Errors
    ///
    /// Por que não há como.
    pub fn abrir(self) -> Result<Aberto, String> {
        let pasta = || tempfile::tempdir().map_err(|erro| format!("sem pasta temporária: {erro}"));
        let estoque = format!("--estoque {ESTOQUE}");
        match self {
            Par::Servidor => Ok(nosso("servidor", &format!("--silencioso {estoque}"), None)),
            Par::ServidorRegistro => {
                let pasta = pasta()?;
                let arquivo = pasta.path().join("registro.log");
                let opcoes = format!("{estoque} --registro {}", arquivo.display());
                Ok(nosso("servidor", &opcoes, Some(pasta)))
            }
            Par::ServidorLivro => {
                if !executar("servidor", ["--ajuda"]).saida.contains("--livro") {
                    return Err("este servidor não tem a opção --livro".into());
                }
                let pasta = pasta()?;
                let arquivo = pasta.path().join("vendas.livro");
                let opcoes = format!("--silencioso {estoque} --livro {}", arquivo.display());
                Ok(nosso("servidor", &opcoes, Some(pasta)))
            }
            Par::Eco => Ok(nosso("examples/eco", "", None)),
            Par::Threads => Ok(nosso("examples/thread_por_conexao", &estoque, None)),
            Par::Enunciado => {
                let roteiro =
                    concat!(env!("CARGO_MANIFEST_DIR"), "/benches/comparacao/enunciado.py");
                let comeco = format!("{roteiro} {{porta}} {ESTOQUE}");
                alheio("python3", &comeco, None)
            }
            Par::Redis => abrir_redis("--appendonly no", pasta()?),
            Par::RedisDuravel => abrir_redis("--appendonly yes --appendfsync always", pasta()?),
            Par::Memcached => abrir_memcached(),
            Par::Postgres => postgres::abrir(pasta()?, &[]),
        }
    }

    /// Faz mais um pedido e confere que o contador desceu `respostas` vezes antes dele: quem perdeu,
    /// repetiu ou recusou uma venda não entra na comparação.
    ///
    /// # Errors
    ///
    /// A conta não fecha.
    pub fn conferir(self, aberto: &Aberto, respostas: u64) -> Result<(), String> {
        if self == Par::Eco {
            return Ok(());
        }
        let fala = self.fala();
        let conversa = || {
            let mut fluxo = TcpStream::connect(aberto.endereco)?;
            fala.entrar(&mut fluxo)?;
            fala.conversar(&mut fluxo)
        };
        let ouvido = conversa().map_err(|erro| format!("não respondeu no fim: {erro}"))?;
        let esperado = (ESTOQUE - respostas - 1).to_string();
        let ouvido = String::from_utf8_lossy(&ouvido);
        if ouvido.split(|letra: char| !letra.is_ascii_digit()).any(|numero| numero == esperado) {
            Ok(())
        } else {
            Err(format!("a conta não fecha: esperava {esperado}, ouvi {ouvido:?}"))
        }
    }
}

/// Um comando do Redis, como um cliente o manda.
pub fn resp(palavras: &[&str]) -> Vec<u8> {
    let palavra = |palavra: &&str| format!("${}\r\n{palavra}\r\n", palavra.len());
    let corpo: String = palavras.iter().map(palavra).collect();
    format!("*{}\r\n{corpo}", palavras.len()).into()
}

/// Um programa desta workspace.
pub fn nosso(programa: &str, opcoes: &str, pasta: Option<TempDir>) -> Aberto {
    let argumentos = format!("--porta 0 {opcoes}");
    let mut comando = comando(programa, argumentos.split_whitespace());
    comando.stdout(Stdio::null());
    let processo = Processo::iniciar(comando);
    let endereco = processo.onde_ouve();
    Aberto { processo, endereco, despedida: None, _pasta: pasta }
}

/// Um programa instalado; `{porta}` nas opções é a que ele recebe. Espera que escute.
fn alheio(programa: &str, opcoes: &str, pasta: Option<TempDir>) -> Result<Aberto, String> {
    let caminho = procurar(programa)?;
    let porta = porta_livre();
    let opcoes = opcoes.replace("{porta}", &porta.to_string());
    let mut comando = Command::new(caminho);
    // As aspas vazias são as do shell: `--save ''` é um argumento vazio.
    comando.args(opcoes.split_whitespace().map(|opcao| if opcao == "''" { "" } else { opcao }));
    if let Some(pasta) = &pasta {
        comando.current_dir(pasta.path());
    }
    Ok(esperar_que_escute(comando, porta, pasta))
}

/// Inicia um programa que vai escutar nesta porta, e espera que escute.
pub fn esperar_que_escute(mut comando: Command, porta: u16, pasta: Option<TempDir>) -> Aberto {
    comando.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let processo = Processo::iniciar(comando);
    let endereco = SocketAddr::from(([127, 0, 0, 1], porta));
    ate("a porta aberta", || TcpStream::connect(endereco).ok());
    Aberto { processo, endereco, despedida: None, _pasta: pasta }
}

/// Onde está um programa instalado.
pub fn procurar(programa: &str) -> Result<PathBuf, String> {
    let caminhos = env::var_os("PATH").unwrap_or_default();
    // O Debian não põe os programas do PostgreSQL no PATH.
    let do_postgres = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    env::split_paths(&caminhos)
        .chain(do_postgres.map(|versao| versao.path().join("bin")))
        .map(|pasta| pasta.join(programa))
        .find(|caminho| caminho.is_file())
        .ok_or_else(|| format!("não há {programa} nesta máquina"))
}

/// Um Redis com o contador, e estas opções de diário.
pub fn abrir_redis(diario: &str, pasta: TempDir) -> Result<Aberto, String> {
    // As conexões vêm de vários endereços desta máquina, e são mais que as 10 mil do padrão.
    let opcoes = format!(
        "--port {{porta}} --bind 127.0.0.1 --protected-mode no --maxclients 15000 --save '' {diario}"
    );
    let aberto = alheio("redis-server", &opcoes, Some(pasta))?;
    iniciar_contador(aberto, &resp(&["SET", "estoque", &ESTOQUE.to_string()]))
}

fn abrir_memcached() -> Result<Aberto, String> {
    let opcoes = "-p {porta} -l 127.0.0.1 -U 0 -t 1 -c 15000 -u nobody";
    let aberto = alheio("memcached", opcoes, None)?;
    let estoque = ESTOQUE.to_string();
    iniciar_contador(
        aberto,
        format!("set estoque 0 0 {}\r\n{estoque}\r\n", estoque.len()).as_bytes(),
    )
}

fn iniciar_contador(aberto: Aberto, pedido: &[u8]) -> Result<Aberto, String> {
    let iniciar = || {
        let mut fluxo = TcpStream::connect(aberto.endereco)?;
        Fala { pedido: pedido.into(), ..Fala::de_linhas("") }.conversar(&mut fluxo)
    };
    iniciar().map_err(|erro| format!("não aceitou o contador: {erro}"))?;
    Ok(aberto)
}

/// Dois Redis, o segundo réplica do primeiro: cada `DECR` é seguido de um `WAIT 1 0`, que só responde quando a réplica
/// já o tem. Na memória dos dois: nenhum promete nada a um disco. O primeiro é o que atende.
///
/// # Errors
///
/// Não está instalado.
pub fn redis_com_replica(pastas: [TempDir; 2]) -> Result<[Aberto; 2], String> {
    let [pasta, outra] = pastas;
    let principal = abrir_redis("--appendonly no --repl-diskless-sync-delay 0", pasta)?;
    let porta = principal.endereco.port();
    let opcoes =
        format!("--port {{porta}} --bind 127.0.0.1 --save '' --replicaof 127.0.0.1 {porta}");
    let replica = alheio("redis-server", &opcoes, Some(outra))?;
    let fala = fala_com_replica();
    let mut fluxo = TcpStream::connect(principal.endereco).map_err(|erro| erro.to_string())?;
    // O primeiro só volta com a réplica a par.
    fala.conversar(&mut fluxo).map_err(|erro| erro.to_string())?;
    Ok([principal, replica])
}

/// A língua de [`redis_com_replica`].
pub fn fala_com_replica() -> Fala {
    let pedido = [resp(&["DECR", "estoque"]), resp(&["WAIT", "1", "0"])].concat();
    Fala { pedido, leitor: Leitor::DuasLinhas(false) }
}
