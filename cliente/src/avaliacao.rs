//! O avaliador: dá a um servidor, em qualquer linguagem, a nota dos critérios da atividade (§10).
//!
//! ```text
//!   avaliar ─► provas     o que se tenta
//!          │    ├─► disputa    todos compram juntos
//!          │    ├─► vez        o que pode ter sido demora se confirma sem vizinhos
//!          │    ├─► servidor   abre o servidor de novo para cada prova, e guarda o console dele
//!          │    │     ├─► zelador    o derruba, e a tudo o que ele deixou, aconteça o que acontecer aqui
//!          │    │     ├─► processos  o que o sistema sabe dele
//!          │    │     ├─► autopsia   por que caiu, pelo que disse no console
//!          │    │     │     └─► modulo   o que o programa pediu e não há: da entrega, ou desta máquina
//!          │    │     ├─► ausente    o programa que o comando pede e não há
//!          │    │     └─► trocas     um Python que troca de thread mais depressa
//!          │    └─► sonda      uma conexão que faz o que a prova manda
//!          │          └─► alvo ─► costumes   como chegar ao servidor; quanto demora, e se fecha a conexão
//!          ├─► pontos ─► evidencias     quanto vale o que se viu
//!          └─► json, pagina ─► boletim     a nota, item por item
//! ```
//!
//! É justo com o que o enunciado não diz: aceita respostas sem fim de linha, manda um comando por vez e
//! descobre que fim de linha o servidor espera, e entende o AVISO em outras palavras. E é severo com o que
//! ele diz: uma venda a mais em uma só rodada, um cliente calado que bloqueia os outros ou um reset que
//! derruba o servidor custam o item inteiro.
//!
//! Olha o servidor de fora. Se há um Lock no código, não sabe; sabe se a falta dele apareceu.

pub mod alvo;
mod ausente;
mod autopsia;
pub mod boletim;
pub mod conselhos;
pub mod costumes;
mod disputa;
pub mod erro;
mod evidencias;
pub mod falhas;
mod fim;
pub mod formatos;
mod json;
pub mod modulo;
mod pagina;
pub mod pesos;
mod pontos;
pub mod processos;
pub mod provas;
pub(crate) mod servidor;
pub mod sonda;
mod trocas;
pub mod vez;
#[cfg_attr(unix, path = "avaliacao/zelador_unix.rs")]
#[cfg_attr(windows, path = "avaliacao/zelador_windows.rs")]
pub mod zelador;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::parada::Parada;
use crate::opcoes::OpcoesDaAvaliacao;
use crate::sistema;
use alvo::{Aberto, Alvo, Quem};
use boletim::{Boletim, Item};
use erro::Erro;
use evidencias::Evidencias;
use pesos::Pesos;
use provas::Provas;
use vez::{Vez, confirmar};

/// Quantas vezes mais se espera que abra um servidor que não abriu: a máquina podia estar ocupada com outra coisa.
const MAIS_ESPERA: u32 = 3;

/// O que se avalia, e como.
#[derive(Debug)]
pub struct Pedido<'a> {
    /// O que se pediu.
    pub opcoes: &'a OpcoesDaAvaliacao,
    /// O comando que repete a avaliação: o boletim o cita.
    pub comando: String,
    /// O que isola o servidor, se algo o isola.
    pub moldura: Vec<OsString>,
    /// Se ele escuta em outra porta, avalia-se ali, e isso custa o que o §3.1 diz.
    pub procura_a_porta: bool,
    /// Quanto vale cada item.
    pub pesos: Pesos,
    /// O andamento.
    pub barra: ProgressBar,
    /// A vez de ficar sozinho, se outros servidores se avaliam ao mesmo tempo.
    pub vez: Option<&'a Vez>,
}

impl<'a> Pedido<'a> {
    /// O de quem avalia um servidor só.
    pub fn novo(opcoes: &'a OpcoesDaAvaliacao, comando: String, pesos: Pesos) -> Self {
        let (moldura, procura_a_porta) = (Vec::new(), false);
        Pedido { opcoes, comando, moldura, procura_a_porta, pesos, barra: barra(opcoes), vez: None }
    }
}

/// Avalia o servidor do pedido; `None` se foi interrompida.
///
/// # Errors
///
/// O servidor não abre, ou não se chega a ele.
pub fn avaliar(pedido: Pedido<'_>) -> Result<Option<Boletim>, Erro> {
    let opcoes = pedido.opcoes;
    // Cada comprador é um descritor. Se não der para aumentar o limite, vale o que houver.
    sistema::aumentar_os_descritores();
    let aberto: Arc<Aberto> = Arc::default();
    // No Ctrl-C o servidor cai na hora, sem esperar que a prova termine.
    let do_sinal = Arc::clone(&aberto);
    let parada = Parada::ao_sinal(move || do_sinal.derrubar()).map_err(Erro::SemCtrlC)?;
    let mut alvo = Alvo {
        quem: opcoes.iniciar.clone().map_or(Quem::NoAr, |comando| Quem::Comando {
            comando,
            entrada: opcoes.entrada.clone(),
            moldura: pedido.moldura.clone(),
            na_turma: pedido.vez.is_some(),
        }),
        endereco: endereco(opcoes)?,
        espera: opcoes.medida.espera,
        aberto,
        fim_de_linha: FimDeLinha::Lf,
        costumes: Arc::default(),
        estilo: Arc::default(),
        inicio: Instant::now(),
        parada,
    };
    alvo.fim_de_linha = match inaugurar(&pedido, &mut alvo) {
        Err(_) if alvo.parada.pedida() => return Ok(None),
        descoberto => descoberto?,
    };
    let provas = Provas { alvo: &alvo, opcoes, barra: &pedido.barra, vez: pedido.vez };
    let evidencias = match provas.reunir() {
        Err(_) if alvo.parada.pedida() => return Ok(None),
        reunidas => reunidas?,
    };
    pedido.barra.finish_and_clear();
    Ok((!alvo.parada.pedida()).then(|| boletim(pedido, &alvo, evidencias)))
}

/// Abre o servidor pela primeira vez. Não abrir custa tudo: quem não abriu ao lado dos vizinhos tem outra vez, com eles
/// parados e com mais tempo.
fn inaugurar(pedido: &Pedido<'_>, alvo: &mut Alvo) -> Result<FimDeLinha, Erro> {
    let nao_abriu =
        |aberto: &Result<FimDeLinha, Erro>| aberto.as_ref().is_err_and(Erro::do_servidor);
    confirmar(pedido.vez, nao_abriu, |vez| {
        let _acompanhado = vez.map(Vez::acompanhado);
        let aberto = inaugurar_onde_escuta(pedido, alvo);
        if aberto.is_err() {
            // Para a outra vez, se há.
            alvo.espera *= MAIS_ESPERA;
        }
        aberto
    })
}

/// Se o servidor escuta em outra porta, e é o caso de procurá-la, avalia-se nela.
fn inaugurar_onde_escuta(pedido: &Pedido<'_>, alvo: &mut Alvo) -> Result<FimDeLinha, Erro> {
    let aberto = provas::inaugurar(alvo);
    match &aberto {
        Err(Erro::NaoAbriu { outra: Some(outra), .. }) if pedido.procura_a_porta => {
            alvo.endereco.set_port(*outra);
            provas::inaugurar(alvo)
        }
        _ => aberto,
    }
}

fn endereco(opcoes: &OpcoesDaAvaliacao) -> Result<SocketAddr, Erro> {
    let Some(servidor) = &opcoes.servidor else {
        return Ok((Ipv4Addr::LOCALHOST, opcoes.medida.porta).into());
    };
    let enderecos: Vec<SocketAddr> =
        servidor.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    // Um nome pode ter vários endereços (`localhost` costuma ter um IPv6): vale o que atende.
    let atende = |endereco: &&SocketAddr| {
        std::net::TcpStream::connect_timeout(endereco, costumes::PRAZO).is_ok()
    };
    let escolhido = enderecos.iter().find(atende).or(enderecos.first());
    escolhido.copied().ok_or_else(|| Erro::ServidorDesconhecido(servidor.clone()))
}

/// O andamento de uma avaliação, na saída de erro.
pub fn barra(opcoes: &OpcoesDaAvaliacao) -> ProgressBar {
    let rodadas = if opcoes.iniciar.is_some() { opcoes.medida.rodadas } else { 1 };
    let barra = ProgressBar::new(u64::from(rodadas) + provas::OUTRAS_PROVAS);
    if let Ok(estilo) = ProgressStyle::with_template("{spinner} prova {pos} de {len}: {msg}") {
        barra.set_style(estilo);
    }
    barra
}

fn boletim(pedido: Pedido<'_>, alvo: &Alvo, evidencias: Evidencias) -> Boletim {
    let Pedido { opcoes, comando, pesos, .. } = pedido;
    let endereco = alvo.endereco;
    let mut protocolo = pontos::protocolo(&evidencias, opcoes.medida.estoque);
    if opcoes.iniciar.is_some() && endereco.port() != opcoes.medida.porta {
        protocolo = pontos::em_outra_porta(protocolo, opcoes.medida.porta, endereco.port());
    }
    let item = |nome, conferencias| Item { nome, conferencias };
    let mut itens = pesos.aplicar(vec![
        item(pesos::MULTITHREADING, pontos::multithreading(&evidencias, opcoes.medida.compradores)),
        item(pesos::EXCLUSAO_MUTUA, pontos::exclusao_mutua(&evidencias, opcoes.medida.compradores)),
        item(pesos::PROTOCOLO, protocolo),
        item(pesos::ROBUSTEZ, pontos::robustez(&evidencias)),
    ]);
    falhas::atribuir(&mut itens, &evidencias);
    let pedidas = if opcoes.iniciar.is_some() { opcoes.medida.rodadas as usize } else { 1 };
    let mut observacoes = pontos::observacoes(&evidencias, opcoes.medida.compradores, pedidas);
    if opcoes.iniciar.is_none() {
        observacoes.push(
            "uma rodada só, e sem ver o console: com --iniciar a avaliação é completa".to_owned(),
        );
    }
    if opcoes.medida.compradores as u64 <= opcoes.medida.estoque {
        // Se cada um compra uma unidade só, ninguém disputa a última.
        observacoes.push(
            "com tão poucos compradores para o estoque, pouco se disputa: dê mais --compradores"
                .to_owned(),
        );
    }
    observacoes.extend(do_processo(opcoes, endereco, &evidencias));
    observacoes.extend(pesos.observacao());
    let broadcast = pontos::broadcast(&evidencias);
    Boletim {
        nome: opcoes.nome.clone(),
        servidor: opcoes.iniciar.clone().or(opcoes.servidor.clone()).unwrap_or_default(),
        comando,
        porta: endereco.port(),
        itens,
        estoque: pontos::estoque(&evidencias),
        aviso: (broadcast.estado, broadcast.viu.clone()),
        extras: vec![pontos::log(&evidencias), broadcast],
        rodadas: evidencias.rodadas,
        observacoes,
        duracao: alvo.inicio.elapsed(),
    }
}

/// O que se viu do processo do servidor, que não vale pontos.
fn do_processo(
    opcoes: &OpcoesDaAvaliacao,
    endereco: SocketAddr,
    vistas: &Evidencias,
) -> Vec<String> {
    let mut observacoes = Vec::new();
    if opcoes.iniciar.is_some() && endereco.ip() != Ipv4Addr::LOCALHOST {
        observacoes.push(format!(
            "o servidor não atende em 127.0.0.1, e sim em {}: foi avaliado ali; com '0.0.0.0' no bind, \
             como no enunciado, qualquer um chega a ele",
            endereco.ip()
        ));
    }
    if vistas.em_segundo_plano {
        observacoes.push(
            "o comando terminou e deixou o servidor em segundo plano: foi avaliado assim, e encerrado no \
             fim"
                .to_owned(),
        );
    }
    if vistas.apressado {
        observacoes.push(
            "em metade das disputas, o Python do servidor teve troca de threads a cada 1 µs, e não a cada \
             5 ms: o programa é o mesmo, e a falta de um Lock aparece em outros momentos"
                .to_owned(),
        );
    }
    if let Some(gasto) = vistas.gasto_em_sossego {
        observacoes.push(format!(
            "sem ninguém conectado, o servidor gastou {:.0} % de um núcleo: uma thread em laço por \
             cliente perdido? confira o recv que devolve vazio",
            gasto * 100.0
        ));
    }
    observacoes
}
