//! O que cada usuário viveu: a matéria da auditoria e do resumo.
//!
//! Todo instante é uma [`Duration`] desde o começo da simulação, medida em um só relógio monótono,
//! e por isso os instantes de usuários diferentes se comparam. Aqui só há dados.

use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use protocolo::Id;
use protocolo::mensagem::avisa_que_esgotou;

use crate::conversa::desfecho::Desfecho;
use crate::conversa::texto::comeco;

/// Qual dos servidores de `--servidor`, pela ordem em que se disseram. Com um só, não há o que dizer, e o que se
/// escreve é o mesmo de sempre: só com mais de um o número aparece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Qual(Option<NonZeroU16>);

impl Qual {
    /// O de índice `indice` (a partir de zero) entre `quantos`.
    pub fn de(indice: usize, quantos: usize) -> Self {
        let numero = u16::try_from(indice + 1).ok().filter(|_| quantos > 1);
        Qual(numero.and_then(NonZeroU16::new))
    }

    /// O índice dele na lista, a partir de zero.
    pub fn indice(self) -> usize {
        self.0.map_or(0, |numero| usize::from(numero.get()) - 1)
    }

    /// O número dele, a partir de 1; `None` se é o único.
    pub fn numero(self) -> Option<u16> {
        self.0.map(NonZeroU16::get)
    }
}

/// Onde aconteceu, no fim de uma frase: ` no servidor 2`. Nada, se há um só.
impl fmt::Display for Qual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |numero| write!(f, " no servidor {numero}"))
    }
}

/// Tudo o que um usuário viveu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Historia {
    /// O número do usuário, a partir de 1.
    pub usuario: usize,
    /// As conexões que teve, na ordem.
    pub conexoes: Vec<Conexao>,
    /// O que pediu, na ordem.
    pub operacoes: Vec<Operacao>,
    /// O que deu errado, e quando.
    pub falhas: Vec<(Duration, Falha)>,
    /// Ciclos levados até o fim.
    pub ciclos: u32,
    /// Quantas respostas do protocolo chegaram sem que ele tivesse pedido: de outro, talvez.
    pub nao_pedidas: u64,
    /// Quantas respostas vieram de novo, iguais, sem outro pedido.
    pub repetidas: u64,
    /// Quanto tempo se ficou só à espera do AVISO, ele e os que viveram antes na mesma thread.
    pub espera: Duration,
    /// Quando terminou, desde o começo da simulação.
    pub terminou: Duration,
    /// Das operações do meio, só ficaram as que a auditoria precisa.
    pub resumida: bool,
}

impl Historia {
    /// O servidor disse, na conexão de agora, algo que ninguém pediu. Se é uma frase do protocolo, a resposta que se
    /// tomou pela última pode ter vindo antes do pedido: depois do pedido anterior, ou do começo da conexão.
    pub fn anotar_nao_pedida(&mut self, quando: Duration, texto: &str, do_protocolo: bool) {
        let Some(conexao) = self.conexoes.last_mut() else { return };
        if do_protocolo {
            let daqui = |operacao: &&Operacao| operacao.conexao == conexao.numero;
            let anterior = self.operacoes.iter().rev().filter(daqui).nth(1);
            let antes = anterior.map_or(conexao.pediu, |operacao| operacao.enviada);
            conexao.dessincronizou(antes.min(quando));
        } else {
            conexao.dessincronizou(quando);
            conexao.anotar_nao_entendido(quando, texto);
        }
    }

    /// Veio a resposta de verdade ao último pedido: toma o lugar da que se supôs, e a falha que aquela custou se
    /// desfaz.
    pub fn corrigir_a_ultima(&mut self, quando: Duration, desfecho: Desfecho) {
        let Some(operacao) = self.operacoes.last_mut() else { return };
        let resposta = (quando.max(operacao.enviada), desfecho);
        let Some((suposta_em, _)) = operacao.resposta.replace(resposta) else { return };
        let dela = |falha: &(Duration, Falha)| *falha == (suposta_em, Falha::RespostaEstranha);
        if let Some(qual) = self.falhas.iter().rposition(dela) {
            self.falhas.remove(qual);
        }
    }
}

/// Quantos AVISOs se guardam por conexão: um servidor que fala sem parar não ocupa a memória do cliente.
pub const AVISOS_MAXIMOS: usize = 1000;

/// Uma conexão, do pedido ao fechamento.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conexao {
    /// O número dela entre as deste usuário, a partir de 1.
    pub numero: u32,
    /// Com qual servidor.
    pub servidor: Qual,
    /// Terminou em uma queda: perdeu-se enquanto se usava, sem que o usuário a deixasse.
    pub caiu: bool,
    /// Quando pediu a conexão.
    pub pediu: Duration,
    /// Quando a conexão se completou. Ela pode ainda estar na fila do sistema do servidor.
    pub conectou: Duration,
    /// Quando chegou a primeira resposta a um pedido: desde aí, o servidor certamente a conhece.
    pub respondida: Option<Duration>,
    /// Desde quando uma resposta pode ser de um pedido anterior: o servidor disse algo que ninguém pediu,
    /// ou que não respondia ao pedido.
    pub dessincronizada_desde: Option<Duration>,
    /// Quando terminou, por qualquer dos lados; `None` enquanto dura.
    pub fechou: Option<Duration>,
    /// Quando chegou cada AVISO de que o estoque acabou.
    pub avisos: Vec<Duration>,
    /// Quando chegou cada AVISO que diz outra coisa, ou o diz de um jeito que não se reconhece.
    pub outros_avisos: Vec<Duration>,
    /// O primeiro texto que ninguém pediu e não se entendeu, já só com o que é visível.
    pub nao_entendido: Option<String>,
}

impl Conexao {
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
    pub fn dessincronizou(&mut self, quando: Duration) {
        let desde = self.dessincronizada_desde.get_or_insert(quando);
        *desde = quando.min(*desde);
    }
}

/// Um pedido e o que se soube dele.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operacao {
    /// O número da conexão deste usuário em que foi feita, a partir de 1.
    pub conexao: u32,
    /// A qual servidor foi feito.
    pub servidor: Qual,
    /// Foi COMPRAR? Senão, foi CONSULTAR.
    pub compra: bool,
    /// O id da compra, se são numeradas. Uma operação por id: a conexão e o servidor são os da última vez que partiu.
    pub pedido: Option<Box<Pedido>>,
    /// No laço aberto, a hora marcada da chegada que ela atende: a latência conta daqui. Não é quando o pedido começou,
    /// e por isso a auditoria não a olha.
    pub marcada: Option<Duration>,
    /// Um instante antes de os bytes partirem, pela primeira vez.
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

/// O que só uma compra numerada tem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pedido {
    /// O que vai depois de `PEDIDO`.
    pub id: Id,
    /// O número dele entre os deste usuário, a partir de 1.
    pub numero: u32,
    /// Quantas vezes partiu até ter resposta.
    pub perguntas: u32,
    /// O que se ouviu ao perguntar de novo por ele, de propósito, já respondido.
    pub repetida: Option<Repetida>,
}

/// A resposta a um pedido que já tinha resposta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetida {
    /// Quem respondeu.
    pub servidor: Qual,
    /// Um instante antes de os bytes partirem.
    pub enviada: Duration,
    /// Um instante depois de a resposta inteira chegar.
    pub chegou: Duration,
    /// O que ela disse.
    pub desfecho: Desfecho,
}

impl Repetida {
    /// Diz outra coisa? Só se compara o que se entende inteiro.
    pub fn contradiz(&self, primeira: &Desfecho) -> bool {
        match (primeira, &self.desfecho) {
            (Desfecho::Comprou(uma), Desfecho::Comprou(outra)) => uma != outra,
            (uma, outra) => {
                uma.vendeu() && *outra == Desfecho::Recusado
                    || outra.vendeu() && *uma == Desfecho::Recusado
            }
        }
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

#[cfg(test)]
mod testes {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Desde quando não se sabe de quem são as respostas, se aos 30 ms sobra uma mensagem.
    fn dessincronizada(enviadas: &[u64], do_protocolo: bool) -> Option<Duration> {
        let pedido = |enviada: &u64| Operacao {
            conexao: 1,
            compra: false,
            enviada: ms(*enviada),
            resposta: None,
            ..Operacao::default()
        };
        let conexao = Conexao { numero: 1, pediu: ms(1), ..Conexao::default() };
        let operacoes = enviadas.iter().map(pedido).collect();
        let mut historia = Historia { conexoes: vec![conexao], operacoes, ..Historia::default() };
        historia.anotar_nao_pedida(ms(30), "oi", do_protocolo);
        historia.conexoes[0].dessincronizada_desde
    }

    #[test]
    fn a_resposta_que_sobra_deixa_em_duvida_as_que_vieram_depois_do_pedido_anterior() {
        assert_eq!(dessincronizada(&[10, 20], true), Some(ms(10)));
        assert_eq!(dessincronizada(&[20], true), Some(ms(1)), "ou do começo da conexão");
        assert_eq!(dessincronizada(&[10, 20], false), Some(ms(30)), "um texto qualquer, só dali");
    }
}
