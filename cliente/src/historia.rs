//! O que cada usuário viveu: a matéria da auditoria e do resumo.
//!
//! Todo instante é uma [`Duration`] desde o começo da simulação, medida em um só relógio monótono,
//! e por isso os instantes de usuários diferentes se comparam. Aqui só há dados.

use std::fmt;
use std::io;
use std::time::Duration;

use protocolo::Mensagem;
use protocolo::mensagem::{avisa_que_esgotou, visivel};

use crate::medidas::Medidas;

/// Uma simulação vivida.
#[derive(Debug)]
pub struct Simulacao {
    /// Uma história por usuário que chegou a existir, pela ordem dos números. Das longas, só o que a
    /// auditoria precisa: ver [`crate::arquivo`].
    pub historias: Vec<Historia>,
    /// As contas de todas as operações, inclusive das que não se guardaram.
    pub medidas: Medidas,
    /// Operações de que a auditoria precisaria e que não couberam.
    pub perdidas: u64,
    /// Como terminou a escrita do CSV, se foi pedido.
    pub csv: io::Result<()>,
    /// A semente usada, dada ou sorteada.
    pub semente: u64,
    /// Usuários pedidos.
    pub usuarios: usize,
    /// Ciclos que os roteiros previam, ao todo.
    pub ciclos_previstos: u64,
    /// Do começo ao fim.
    pub duracao: Duration,
    /// Foi interrompida antes do fim?
    pub interrompida: bool,
}

impl Simulacao {
    /// Alguém chegou a conectar?
    pub fn houve_conexao(&self) -> bool {
        self.historias.iter().any(|historia| !historia.presencas.is_empty())
    }

    /// Alguém teve uma resposta do protocolo? Sem nenhuma, não há o que julgar.
    pub fn houve_resposta(&self) -> bool {
        self.medidas.consultas + self.medidas.vendas + self.medidas.recusas > 0
    }
}

/// Tudo o que um usuário viveu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Historia {
    /// O número do usuário, a partir de 1.
    pub usuario: usize,
    /// As conexões que teve, na ordem.
    pub presencas: Vec<Presenca>,
    /// O que pediu, na ordem.
    pub operacoes: Vec<Operacao>,
    /// O que deu errado, e quando.
    pub falhas: Vec<(Duration, Falha)>,
    /// Ciclos levados até o fim.
    pub ciclos: u32,
    /// Das operações do meio, só ficaram as que a auditoria precisa.
    pub resumida: bool,
}

/// Quantos AVISOs se guardam por conexão: um servidor que fala sem parar não ocupa a memória do cliente.
pub const AVISOS_MAXIMOS: usize = 1000;

/// O começo de um texto estranho, só com o que é visível: bastam estas letras para reconhecê-lo.
fn comeco(texto: &str) -> String {
    const LETRAS: usize = 200;
    visivel(texto).chars().take(LETRAS).collect()
}

/// Uma conexão, do pedido ao fechamento.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presenca {
    /// O número dela entre as deste usuário, a partir de 1.
    pub numero: u32,
    /// Quando pediu a conexão.
    pub pediu: Duration,
    /// Quando a conexão se completou. Ela pode ainda estar na fila do sistema do servidor.
    pub conectou: Duration,
    /// Quando chegou a primeira resposta a um pedido: desde aí, o servidor certamente a conhece.
    pub respondida: Option<Duration>,
    /// Desde quando uma resposta pode ser de um pedido anterior: o servidor disse algo que ninguém pediu,
    /// ou que não respondia ao pedido.
    pub desencontro: Option<Duration>,
    /// Quando terminou, por qualquer dos lados; `None` enquanto dura.
    pub fechou: Option<Duration>,
    /// Quando chegou cada AVISO de que o estoque acabou.
    pub avisos: Vec<Duration>,
    /// Quando chegou cada AVISO que diz outra coisa, ou o diz de um jeito que não se reconhece.
    pub outros_avisos: Vec<Duration>,
    /// O primeiro texto que ninguém pediu e não se entendeu, já só com o que é visível.
    pub nao_entendido: Option<String>,
}

impl Presenca {
    /// Onde se anota um AVISO com estas palavras: diz que o estoque acabou, ou não se sabe.
    pub fn anotados_como(&mut self, aviso: &str) -> &mut Vec<Duration> {
        if avisa_que_esgotou(aviso) { &mut self.avisos } else { &mut self.outros_avisos }
    }

    /// Chegou um texto que ninguém pediu e que não é do protocolo. Pode ser um aviso com palavras que não se
    /// reconhecem, e por isso conta como um deles: na dúvida, ninguém é acusado de não avisar.
    pub fn anotar_nao_entendido(&mut self, quando: Duration, texto: &str) {
        self.nao_entendido.get_or_insert_with(|| comeco(texto));
        if self.outros_avisos.len() < AVISOS_MAXIMOS {
            self.outros_avisos.push(quando);
        }
    }

    /// Desde este instante, uma resposta pode ser de um pedido anterior.
    pub fn desencontrou(&mut self, quando: Duration) {
        let desde = self.desencontro.get_or_insert(quando);
        *desde = quando.min(*desde);
    }
}

/// Um pedido e o que se soube dele.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operacao {
    /// O número da conexão deste usuário em que foi feita, a partir de 1.
    pub presenca: u32,
    /// Foi COMPRAR? Senão, foi CONSULTAR.
    pub compra: bool,
    /// Um instante antes de os bytes partirem.
    pub enviada: Duration,
    /// Um instante depois de a resposta inteira chegar, e o que ela disse.
    pub resposta: Option<(Duration, Desfecho)>,
}

impl Operacao {
    /// Não se sabe se valeu: sem resposta, ou com uma que não se entende.
    pub fn em_duvida(&self) -> bool {
        matches!(self.resposta, None | Some((_, Desfecho::Estranho(_))))
    }
}

/// O que uma resposta disse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desfecho {
    /// CONSULTAR leu este estoque.
    Leu(i128),
    /// CONSULTAR foi respondido, e o número admite mais de uma leitura.
    LeuSemNumero,
    /// COMPRAR vendeu, e restou isto.
    Comprou(i128),
    /// COMPRAR vendeu, e quanto restou não se sabe: o número falta, ou admite mais de uma leitura.
    ComprouSemNumero,
    /// COMPRAR ouviu que o produto esgotou.
    Recusado,
    /// Outra coisa: não é resposta ao que se pediu. O texto já é só o visível.
    Estranho(String),
}

impl Desfecho {
    /// O que esta mensagem diz a quem pediu COMPRAR (`compra`) ou CONSULTAR, também em outras palavras.
    pub fn de(compra: bool, mensagem: &Mensagem) -> Self {
        match (compra, mensagem) {
            (false, Mensagem::Estoque(atual)) => Desfecho::Leu(*atual),
            (false, Mensagem::EstoqueSemNumero(_)) => Desfecho::LeuSemNumero,
            (true, Mensagem::Compra { restante }) => Desfecho::Comprou(*restante),
            (true, Mensagem::CompraSemNumero(_)) => Desfecho::ComprouSemNumero,
            (true, Mensagem::Esgotado) => Desfecho::Recusado,
            (_, Mensagem::Outra(texto)) => match Mensagem::em_outras_palavras(compra, texto) {
                Some(entendida) => Desfecho::de(compra, &entendida),
                None => Desfecho::Estranho(comeco(texto)),
            },
            (_, outra) => Desfecho::Estranho(comeco(&outra.to_string())),
        }
    }

    /// É uma venda, ainda que não se saiba quanto restou?
    pub fn vendeu(&self) -> bool {
        matches!(self, Desfecho::Comprou(_) | Desfecho::ComprouSemNumero)
    }
}

/// O que pode dar errado para um usuário. `Display` é como aparece no resumo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Falha {
    /// Não conseguiu conectar, e por quê.
    SemConexao(String),
    /// O servidor disse que está lotado.
    Lotado,
    /// A resposta não veio no prazo.
    SemResposta,
    /// O servidor fechou a conexão.
    Fechada,
    /// A conexão quebrou, e como.
    Quebrada(String),
    /// Uma resposta que não responde ao que se pediu.
    RespostaEstranha,
    /// Uma mensagem que ninguém pediu e não é AVISO.
    ForaDeHora,
}

impl fmt::Display for Falha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Falha::SemConexao(porque) => write!(f, "não conectou: {porque}"),
            Falha::Lotado => f.write_str("servidor lotado"),
            Falha::SemResposta => f.write_str("resposta não veio no prazo"),
            Falha::Fechada => f.write_str("o servidor fechou a conexão"),
            Falha::Quebrada(como) => write!(f, "conexão quebrada: {como}"),
            Falha::RespostaEstranha => f.write_str("resposta fora do protocolo"),
            Falha::ForaDeHora => f.write_str("mensagem que ninguém pediu"),
        }
    }
}
