//! O programa `servidor`: lê as opções, abre, atende, presta contas. É o único lugar que decide o
//! código de saída: 0 depois de um sinal, 1 se não pôde servir (ou se um livro não fecha), 2 se as
//! opções estão erradas.

use std::borrow::Cow;
use std::io::{self, BufWriter, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use protocolo::ESTOQUE_PADRAO;
use protocolo::terminal::{Voz, dizer, explicar, ler_opcoes, nao_morrer_de_arquivo_grande};
use servidor::balcao::Limites;
use servidor::extrato::{Falha, Forma, extrair};
use servidor::livro::{self, Andamento, Livro, WalQueFicou};
use servidor::loja::Loja;
use servidor::opcoes::{Acao, Opcoes, OpcoesDoExtrato, Programa};
use servidor::partilhado;
use servidor::porta::Porta;
use servidor::reator::{DESCRITORES_DAS_METRICAS, Encerramento, Guarda, Pane, Parada, Reator};
use servidor::registro::{Destino, Registro};
use servidor::reposicao;
use servidor::sistema;

/// Quanto se espera a saída de erro dizer por que se parou, se ela não anda.
const PRAZO_DO_CONSOLE: Duration = Duration::from_secs(1);

/// O que se quer livre para começar: quatro threads têm pilhas de 2 MiB, e o SQLite pede a parte dele.
const MEMORIA_PARA_COMECAR: usize = 12 << 20;

const SEM_MEMORIA: &str = "servidor: não há memória para começar (faltam 12 MiB livres); aumente o limite dela, \
     'ulimit -v', ou feche outros programas";

/// Diz se o SQLite deste programa espera só os dados chegarem ao disco, e não também a hora do arquivo. Ele
/// mesmo não o diz (`PRAGMA compile_options`): vale o que estava no ambiente quando os dois se compilaram.
const COMO_SE_COMPILOU_O_SQLITE: Option<&str> = option_env!("LIBSQLITE3_FLAGS");

/// Por que o programa termina sem ter servido: a linha que se diz, com o que fazer.
#[derive(Debug, thiserror::Error)]
enum Erro {
    #[error("não posso ouvir os sinais: {}", explicar(.0))]
    Sinais(io::Error),
    #[error("não posso abrir o registro: {}", explicar(.0))]
    SemRegistro(io::Error),
    #[error("não posso registrar em {}: {porque}; escolha outro com --registro", caminho.display())]
    Registro { caminho: PathBuf, porque: String },
    #[error("'{0}' não é um endereço conhecido; use um IP, como --endereco 127.0.0.1")]
    Endereco(String),
    #[error("não posso escutar em {endereco}: {}{}", explicar(causa), conselho(causa))]
    Porta { endereco: SocketAddr, causa: io::Error },
    #[error(
        "não posso mostrar as métricas em {endereco}: {}; {} com --metricas",
        explicar(causa),
        outra_com_metricas(causa)
    )]
    Metricas { endereco: SocketAddr, causa: io::Error },
    #[error(transparent)]
    Livro(#[from] livro::Erro),
    #[error(transparent)]
    Extrato(#[from] Falha),
    #[error(transparent)]
    ExtratoPartilhado(#[from] partilhado::Falha),
    #[error(transparent)]
    Partilhado(#[from] partilhado::Erro),
    #[error("{0} não fecha: {1}")]
    NaoFecha(&'static str, Cow<'static, str>),
    #[error(transparent)]
    Reposicao(#[from] reposicao::Falha),
    #[error(transparent)]
    Pane(#[from] Pane),
}

fn main() -> ExitCode {
    let programa: Programa = match ler_opcoes(std::env::args_os()) {
        Ok(programa) => programa,
        Err(codigo) => return codigo,
    };
    let Programa { acao, opcoes } = programa;
    // Se nem isto se consegue, um arquivo que encha mata o programa: é o que já acontecia.
    let _ = nao_morrer_de_arquivo_grande();
    if !ha_memoria() {
        dizer(SEM_MEMORIA);
        return ExitCode::FAILURE;
    }
    let voz = Voz::nova();
    let feito = match (&acao, &opcoes.livro, opcoes.repor) {
        (Some(Acao::Extrato(opcoes)), _, _) => mostrar_extrato(opcoes),
        (None, _, Some(unidades)) => repor(&opcoes, unidades),
        (None, livro, None) => match servir(&opcoes, &voz) {
            Ok(fim) => {
                voz.dizer(prestar_contas(&fim));
                if let Some(ficou) = livro.as_deref().and_then(WalQueFicou::de) {
                    voz.dizer(format_args!("livro: {ficou}; não os separe"));
                }
                voz.calar(fim.resta);
                return ExitCode::SUCCESS;
            }
            Err(motivo) => Err(motivo),
        },
    };
    let Some(motivo) = feito.err().filter(|motivo| !ninguem_mais_le(motivo)) else {
        return ExitCode::SUCCESS;
    };
    voz.dizer(format_args!("servidor: {motivo}"));
    voz.calar(PRAZO_DO_CONSOLE);
    ExitCode::FAILURE
}

/// Há memória para as pilhas das threads, e para o que a std e a glibc preparam em cada uma? Pergunta-se pedindo, e
/// devolvendo: faltar no meio disso encerraria o programa sem uma frase nossa.
fn ha_memoria() -> bool {
    let mut folga: Vec<u8> = Vec::new();
    let ha = folga.try_reserve_exact(MEMORIA_PARA_COMECAR).is_ok();
    // Sem isto o otimizador vê que ninguém a usa, e nem a pede.
    std::hint::black_box(&folga);
    ha
}

fn mostrar_extrato(opcoes: &OpcoesDoExtrato) -> Result<(), Erro> {
    let forma = match opcoes {
        OpcoesDoExtrato { resumo: true, .. } => Forma::Resumo,
        OpcoesDoExtrato { csv: true, .. } => Forma::Csv,
        OpcoesDoExtrato { json: true, .. } => Forma::Json,
        _ => Forma::Tabela,
    };
    let mut saida = BufWriter::new(io::stdout().lock());
    let (quem, dano) = match (&opcoes.livro, &opcoes.partilhado) {
        (Some(livro), _) => {
            ("o livro", extrair(livro, forma, &mut saida).map(|veredito| veredito.dano)?)
        }
        (None, urls) => {
            let urls = urls.as_deref().unwrap_or_default();
            let extrato = partilhado::extrair(urls, forma, &mut saida)?;
            ("o estoque", extrato.dano.map(Cow::from))
        }
    };
    dano.map_or(Ok(()), |dano| Err(Erro::NaoFecha(quem, dano)))
}

/// Quem lia já viu o que queria, como em `| head`?
fn ninguem_mais_le(erro: &Erro) -> bool {
    let (Erro::Extrato(Falha::Saida(causa))
    | Erro::ExtratoPartilhado(partilhado::Falha::Saida(causa))) = erro
    else {
        return false;
    };
    causa.kind() == ErrorKind::BrokenPipe
}

fn repor(opcoes: &Opcoes, unidades: u64) -> Result<(), Erro> {
    let (como_ficou, por_quem) = match (&opcoes.livro, &opcoes.partilhado) {
        (Some(livro), _) => repor_no_livro(livro, unidades)?,
        (None, urls) => {
            let contas = partilhado::repor(urls.as_deref().unwrap_or_default(), unidades)?;
            (format!("estoque partilhado: {contas}"), SEM_SERVIDOR)
        }
    };
    dizer(format_args!("{como_ficou}: {unidades} repostas agora ({por_quem})"));
    Ok(())
}

const SEM_SERVIDOR: &str = "o servidor não foi aberto";

/// Repõe no livro ou, se um servidor o tem aberto, pede a ele. Diz como o livro ficou, e quem repôs.
fn repor_no_livro(livro: &Path, unidades: u64) -> Result<(String, &'static str), Erro> {
    let (contas, por_quem) = match Livro::repor(livro, unidades) {
        Ok(contas) => (contas, SEM_SERVIDOR),
        Err(erro) if erro.e_ocupado() => match reposicao::pedir(livro, unidades) {
            Ok(contas) => (contas, "pelo servidor que o tem aberto"),
            // Um extrato em curso, ou um servidor que não espera pedidos.
            Err(reposicao::Falha::NinguemOuve) => return Err(erro.into()),
            Err(falha) => return Err(falha.into()),
        },
        Err(erro) => return Err(erro.into()),
    };
    Ok((format!("livro: {contas}, {} à venda", contas.restantes()), por_quem))
}

fn servir(opcoes: &Opcoes, voz: &Voz) -> Result<Encerramento, Erro> {
    let parada = Parada::ouvir(opcoes.registro.is_some()).map_err(Erro::Sinais)?;
    let cabem = conexoes_que_cabem(opcoes.livro.is_some(), opcoes.metricas.is_some());
    let limites = Limites {
        conexoes: opcoes.max_conexoes.unwrap_or(cabem).min(cabem),
        por_endereco: opcoes.max_por_endereco,
        ocioso: opcoes.ocioso,
        memoria: usize::try_from(opcoes.memoria).unwrap_or(usize::MAX),
    };
    let destino = abrir_destino(opcoes)?;
    let ja_cheio = destino.as_ref().is_some_and(Destino::cheio);
    let registro = destino.map_or_else(|| Ok(Registro::mudo()), Registro::novo);
    let registro = registro.map_err(Erro::SemRegistro)?;
    let pedido = opcoes.endereco.as_deref().map(|nome| resolver(nome, opcoes.porta)).transpose()?;
    let endereco = pedido.unwrap_or((Ipv4Addr::UNSPECIFIED, opcoes.porta).into());
    let sem_porta = |causa| Erro::Porta { endereco, causa };
    let reservada = pedido.map_or_else(|| Porta::em_toda_parte(opcoes.porta), Porta::em);
    let reservada = reservada.map_err(sem_porta)?;
    let das_metricas =
        opcoes.metricas.map(|onde| reservar_as_metricas(onde, &reservada)).transpose()?;
    // Só depois da porta: se não se pode vender, não se cria um livro. E ela só se abre depois dele.
    let (guarda, estoque, como_esta) = abrir_estoque(opcoes, &parada)?;
    let mut reator =
        Reator::abrir(reservada, parada, Loja::nova(estoque), limites, registro, guarda)
            .map_err(sem_porta)?;
    // Antes de se dizer que abriu: quem o lê pode pedir logo.
    let sem_pedir = reator.atender_reposicoes().err();
    let mostradas = das_metricas.map(|(endereco, porta)| {
        reator.mostrar_metricas(porta).map_err(|causa| Erro::Metricas { endereco, causa })
    });
    let mostradas = mostradas.transpose()?;
    voz.dizer(reator.onde().abertura(estoque));
    if let Some(endereco) = mostradas {
        voz.dizer(format_args!("métricas: http://{endereco}/metrics"));
    }
    if let Some(como_esta) = como_esta {
        voz.dizer(como_esta);
    }
    // Onde o sistema não tem com que pedir, repõe-se como sempre se fez, e nada falhou.
    if let Some(erro) = sem_pedir.filter(|erro| erro.kind() != ErrorKind::Unsupported) {
        voz.dizer(format_args!(
            "livro: só se repõe com o servidor fechado: {}",
            sem_pedidos(&erro)
        ));
    }
    if let Some(pedidas) = opcoes.max_conexoes.filter(|pedidas| *pedidas > cabem) {
        voz.dizer(format_args!(
            "servidor: --max-conexoes {pedidas} não cabe no limite de descritores; usando {cabem} \
             (aumente com 'ulimit -n')"
        ));
    }
    if ja_cheio {
        voz.dizer(
            "registro: o arquivo já está em --registro-maximo, e as linhas se perdem até que o esvaziem",
        );
    }
    sistema::avisar_que_abriu();
    Ok(reator.atender()?)
}

/// Antes do livro, como a outra porta.
fn reservar_as_metricas(
    endereco: SocketAddr,
    das_vendas: &Porta,
) -> Result<(SocketAddr, Porta), Erro> {
    let reservar = || match das_vendas.inclui(endereco)? {
        true => Err(ErrorKind::AddrInUse.into()),
        false => Porta::em(endereco),
    };
    let porta = reservar().map_err(|causa| Erro::Metricas { endereco, causa })?;
    Ok((endereco, porta))
}

/// Quem guarda o estoque, quanto há à venda, e o que se diz disso.
fn abrir_estoque(opcoes: &Opcoes, parada: &Parada) -> Result<(Guarda, u64, Option<String>), Erro> {
    if let Some(caminho) = &opcoes.livro {
        let livro = abrir_livro(caminho, opcoes.estoque)?;
        let contas = livro.contas();
        return Ok((Guarda::Livro(livro), contas.restantes(), Some(format!("livro: {contas}"))));
    }
    if let Some(urls) = &opcoes.partilhado {
        let nome = opcoes.nome.as_deref().unwrap_or_default();
        let aberto = partilhado::Aberto::abrir(urls, nome, opcoes.estoque)?;
        let contas = aberto.contas();
        let partilhado = aberto.ligar([parada.acordar(), parada.acordar()])?;
        let como_esta = Some(format!("estoque partilhado: {contas}"));
        return Ok((Guarda::Partilhado(partilhado), contas.restantes, como_esta));
    }
    Ok((Guarda::Memoria, opcoes.estoque.unwrap_or(ESTOQUE_PADRAO), None))
}

fn abrir_livro(caminho: &Path, estoque: Option<u64>) -> Result<Livro, livro::Erro> {
    if !COMO_SE_COMPILOU_O_SQLITE.is_some_and(|opcoes| opcoes.contains("HAVE_FDATASYNC")) {
        dizer(
            "servidor: compilado sem LIBSQLITE3_FLAGS=-DHAVE_FDATASYNC=1 (está em .cargo/config.toml, que só \
             vale para quem compila dentro da pasta do projeto): cada venda espera o disco mais do que precisa",
        );
    }
    let dizer_andamento = |andamento: Andamento| match andamento {
        Andamento::Paginas => dizer("livro: conferindo as páginas"),
        Andamento::Vendas(lidas) => dizer(format_args!("livro: conferindo, {lidas} vendas lidas")),
    };
    Livro::abrir_dizendo(caminho, estoque, dizer_andamento)
}

/// Leva o limite de descritores ao máximo permitido e diz quantas conexões cabem nele, com folga
/// para os descritores do próprio programa e para explicar a lotação a quem fica de fora.
fn conexoes_que_cabem(com_livro: bool, com_metricas: bool) -> usize {
    let limite = sistema::descritores();
    // As três conexões do livro têm oito descritores; o socket de repor, e quem pede por ele, dois.
    let do_livro = if com_livro { 10 } else { 0 };
    let das_metricas = if com_metricas { DESCRITORES_DAS_METRICAS } else { 0 };
    let folga = 16 + do_livro + das_metricas + (limite / 8).min(100);
    limite.saturating_sub(folga).max(1)
}

/// Para onde vai o registro; `None` se ninguém o quer.
fn abrir_destino(opcoes: &Opcoes) -> Result<Option<Destino>, Erro> {
    if opcoes.silencioso {
        return Ok(None);
    }
    let destino = match &opcoes.registro {
        Some(caminho) => Destino::arquivo(caminho, opcoes.registro_maximo).map_err(|erro| {
            Erro::Registro { caminho: caminho.clone(), porque: porque_nao_registra(caminho, &erro) }
        })?,
        None => Destino::console(opcoes.registro_maximo).map_err(Erro::SemRegistro)?,
    };
    Ok(Some(destino))
}

/// Por que não se pode esperar pedidos ao lado do livro.
fn sem_pedidos(erro: &io::Error) -> String {
    match erro.kind() {
        ErrorKind::InvalidInput => {
            "o caminho do livro é longo demais para um socket ao lado dele; ponha-o em uma pasta de nome mais curto"
                .into()
        }
        ErrorKind::AlreadyExists => "há outro arquivo no lugar do socket '-repor' ao lado do livro".into(),
        _ => explicar(erro),
    }
}

fn porque_nao_registra(caminho: &Path, erro: &io::Error) -> String {
    match (erro.kind(), caminho.parent()) {
        // O arquivo se criaria: o que não existe é onde.
        (ErrorKind::NotFound, Some(pasta)) => format!("a pasta {} não existe", pasta.display()),
        _ if sistema::e_cano(caminho) => "é um cano, e ninguém o lê".into(),
        _ => explicar(erro),
    }
}

fn resolver(nome: &str, porta: u16) -> Result<SocketAddr, Erro> {
    // Um IPv6 também se escreve como nas URLs.
    let sem_colchetes = nome.strip_prefix('[').and_then(|nome| nome.strip_suffix(']'));
    let enderecos = (sem_colchetes.unwrap_or(nome), porta).to_socket_addrs();
    let primeiro = enderecos.ok().and_then(|mut enderecos| enderecos.next());
    primeiro.ok_or_else(|| Erro::Endereco(nome.to_owned()))
}

/// O que fazer quando não se pode escutar.
fn conselho(causa: &io::Error) -> &'static str {
    match causa.kind() {
        ErrorKind::AddrInUse => "; feche o outro programa ou escolha outra porta com --porta",
        ErrorKind::AddrNotAvailable => "; para escutar em todos, não use --endereco",
        ErrorKind::PermissionDenied => sistema::SEM_PERMISSAO_NA_PORTA,
        _ => "",
    }
}

/// O que escolher quando não se podem mostrar as métricas.
fn outra_com_metricas(causa: &io::Error) -> &'static str {
    match causa.kind() {
        ErrorKind::AddrNotAvailable => "escolha outro endereço, ou diga só a porta,",
        ErrorKind::PermissionDenied => "escolha uma porta acima de 1023",
        _ => "escolha outra porta",
    }
}

fn prestar_contas(fim: &Encerramento) -> String {
    let contas = fim.contas;
    let livro = fim.livro.map(|livro| format!("\n  livro                         {livro}"));
    format!(
        "servidor: encerrado
  conexões atendidas            {}
  pico de conexões simultâneas  {}
  conexões recusadas (lotado)   {}
  recusadas (lotado para o IP)  {}
  comandos                      {}
  vendas                        {}
  recusas (esgotado)            {}
  estoque restante              {}
  linhas de registro perdidas   {}{}",
        contas.conexoes,
        contas.pico,
        contas.lotadas,
        contas.lotadas_para_o_ip,
        contas.pedidos,
        fim.vendas,
        fim.recusas,
        fim.estoque,
        fim.linhas_perdidas,
        livro.unwrap_or_default(),
    )
}
