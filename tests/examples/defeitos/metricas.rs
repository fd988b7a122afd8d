//! Enganos nas métricas: no que se conta, no que se mede e em quem as lê.

use crate::oficina::{Defeito, Teste, no, por};

const BALCAO: &str = "servidor/src/balcao.rs";
const PORTARIA: &str = "servidor/src/balcao/portaria.rs";
const REGISTRO: &str = "servidor/src/registro.rs";
const METRICAS: &str = "servidor/src/metricas.rs";
const MEDIDO: &str = "servidor/src/metricas/medido.rs";
const TEXTO: &str = "servidor/src/metricas/texto.rs";
const CONVERSA: &str = "servidor/src/metricas/conversa.rs";
const PORTA: &str = "servidor/src/reator/metricas.rs";
const OPCOES: &str = "servidor/src/opcoes.rs";

const MULTIDAO: Teste = no("metricas", "o_que_se_le_e_o_que_a_multidao_viu");
const FORMATO: Teste = no("metricas", "o_promtool_diz");
const OUTRA_COISA: Teste = no("metricas", "quem_pede_outra_coisa");
const AOS_POUCOS: Teste = no("metricas", "um_pedido_aos_poucos");
const ATRASO: Teste = no("falhas", "ler_as_metricas_nao_atrasa");

pub const DEFEITOS: &[Defeito] = &[
    // O que se conta.
    por(
        MULTIDAO,
        BALCAO,
        "os AVISOs não se contam nas métricas",
        "        self.movimento.avisou(ouvintes);\n",
        "",
    ),
    por(
        no("metricas", "cada_fim_e_cada_recusa"),
        PORTARIA,
        "quem foi recusado não se conta nas métricas",
        "            self.contas.lotadas += 1;\n",
        "",
    ),
    por(
        MULTIDAO,
        PORTARIA,
        "quem saiu não se conta nas métricas",
        "                self.movimento.terminou(fim);\n",
        "",
    ),
    por(
        no("metricas", "as_linhas_que_o_registro_perde"),
        REGISTRO,
        "as métricas não sabem das linhas que a thread não escreveu",
        "        espera.perdidas_ao_todo += linhas - (espera.escritas - escritas_antes);\n",
        "        let _ = escritas_antes;\n",
    ),
    // O que se mede.
    por(
        no("metricas", "com_livro_conta_se"),
        MEDIDO,
        "uma consulta conta como uma ida ao disco",
        "if firme.quando != proposta.agora =>",
        "if firme.quando >= proposta.agora =>",
    ),
    por(
        Teste::Unidade("servidor", "cada_valor_cai"),
        METRICAS,
        "um limite não inclui o próprio valor",
        "valor <= self.menor << faixa",
        "valor < self.menor << faixa",
    ),
    por(
        FORMATO,
        TEXTO,
        "um histograma não tem o último limite",
        "_bucket{{le=\\\"+Inf\\\"}} {quantos}",
        "_bucket{{le=\\\"Inf!\\\"}} {quantos}",
    ),
    // Quem as lê.
    por(
        OUTRA_COISA,
        CONVERSA,
        "um cabeçalho sem fim é ouvido até o fim",
        "(lido.len() > PEDIDO_MAXIMO)",
        "(lido.len() > 999 * PEDIDO_MAXIMO)",
    ),
    por(
        OUTRA_COISA,
        CONVERSA,
        "quem respondeu fecha com bytes por ler",
        "                self.etapa = Etapa::Escoa;\n",
        "                self.etapa = Etapa::Acabou;\n",
    ),
    por(
        AOS_POUCOS,
        CONVERSA,
        "quem não acaba o pedido fica com o lugar",
        "self.etapa == Etapa::Acabou || agora >= self.ate",
        "self.etapa == Etapa::Acabou || agora >= self.ate + 99 * PRAZO",
    ),
    por(
        AOS_POUCOS,
        PORTA,
        "quem espera à porta das métricas fica lá",
        "self.aceite == Aceite::Agora && self.conversas.len() < LUGARES",
        "false",
    ),
    por(
        ATRASO,
        CONVERSA,
        "quem lê as métricas prende o laço",
        "ErrorKind::WouldBlock => return true,",
        "ErrorKind::WouldBlock => {}",
    ),
    por(
        no("metricas", "so_com_a_porta"),
        OPCOES,
        "só com a porta, as métricas se mostram a toda a rede",
        "(Ipv4Addr::LOCALHOST, porta)",
        "(Ipv4Addr::UNSPECIFIED, porta)",
    ),
];
