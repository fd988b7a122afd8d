//! Enganos na conversa com o etcd e nos lotes em voo: acham-nos as simulações do estoque partilhado, e a uns as
//! falhas de verdade, que precisam de um etcd na máquina.

use crate::oficina::{Defeito, Teste, no, por};

const SESSAO: &str = "servidor/src/partilhado/sessao.rs";
const ETCD: &str = "servidor/src/partilhado/etcd.rs";
const PARTILHADO: &str = "servidor/src/partilhado.rs";
const MEDIDO: &str = "servidor/src/metricas/medido.rs";
const VOO: &str = "servidor/src/balcao/voo.rs";
const CONEXAO: &str = "servidor/src/conexao.rs";
const BALCAO: &str = "servidor/src/balcao.rs";
const CHAVES: &str = "servidor/src/partilhado/chaves.rs";
const REPOSICAO: &str = "servidor/src/partilhado/reposicao.rs";

const fn em(
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    por(Teste::Alvo("servidor", "partilhado", "horarios_ao_acaso"), arquivo, nome, certo, errado)
}

const fn no_voo(
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    por(Teste::Alvo("servidor", "partilhado", "balcoes_ao_acaso"), arquivo, nome, certo, errado)
}

/// Que as falhas de verdade têm de achar: membros e servidores, e a multidão como juiz.
const fn de_verdade(
    teste: &'static str,
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    por(no("partilhado", teste), arquivo, nome, certo, errado)
}

pub const DEFEITOS: &[Defeito] = &[
    de_verdade(
        "um_etcd_que_nao_e_o_do_estoque_nao_vende",
        SESSAO,
        "diante de um etcd de verdade, uma cópia em outro cluster serve",
        "        if balanco.cluster != resposta.cluster {",
        "        if balanco.cluster == 0 {",
    ),
    de_verdade(
        "se_o_etcd_volta_atras_o_servidor_para",
        SESSAO,
        "diante de um etcd de verdade, não se nota que ele voltou atrás",
        "        if resposta.revisao < self.revisao {",
        "        if resposta.revisao == 0 {",
    ),
    de_verdade(
        "uma_chave_mexida",
        SESSAO,
        "diante de um etcd de verdade, cria-se outra vez um estoque apagado",
        "            if !resposta.pares.is_empty() {",
        "            if resposta.pares.len() > 1000 {",
    ),
    de_verdade(
        "o_etcd_fica_sem_lugar",
        ETCD,
        "diante de um etcd de verdade, o que não tem lugar parece não responder",
        "erro if erro.contains(\"database space exceeded\") => SemResposta::SemLugar,",
        "erro if erro.is_empty() => SemResposta::SemLugar,",
    ),
    de_verdade(
        "o_etcd_fica_sem_lugar",
        PARTILHADO,
        "diante de um etcd de verdade, o que já tem lugar continua a parecer que não tem",
        "        (self.pedido_em, self.sem_lugar) = (None, false);",
        "        if !self.sem_lugar { self.pedido_em = None; }",
    ),
    em(
        SESSAO,
        "o lote vale sem condição nenhuma",
        "se: [meu].into_iter().chain(pedidos().map(novo)).collect(),",
        "se: pedidos().map(novo).collect(),",
    ),
    de_verdade(
        "chega_tarde",
        SESSAO,
        "diante de um etcd de verdade, o lote vale sem condição nenhuma",
        "se: [meu].into_iter().chain(pedidos().map(novo)).collect(),",
        "se: pedidos().map(novo).collect(),",
    ),
    em(
        SESSAO,
        "um pedido vale ainda que já tenha valido",
        "se: [meu].into_iter().chain(pedidos().map(novo)).collect(),",
        "se: pedidos().map(novo).take(0).chain([meu]).collect(),",
    ),
    em(
        SESSAO,
        "um pedido que valeu não fica escrito",
        ".chain(pedidos().map(atender))",
        ".chain(pedidos().map(atender).take(0))",
    ),
    em(
        SESSAO,
        "a um pedido repetido responde-se com o estoque de agora",
        "Transacao { entao: vec![ler(em)], ..Transacao::default() }",
        "Transacao { entao: vec![ler(em.filter(|_| false))], ..Transacao::default() }",
    ),
    em(
        SESSAO,
        "esgotado, um pedido só lê",
        "self.balanco.a_venda() == 0 && !lote.tem_pedidos()",
        "self.balanco.a_venda() == 0",
    ),
    em(CHAVES, "o lugar do pedido conta-se do outro", "+ self.lugar + 1;", "+ self.lugar;"),
    no_voo(
        VOO,
        "ao propor outra vez, o que esperava vai junto e perde-se",
        "        (self.lote, self.compradores) = (espera, compradores);\n",
        "        let _ = (espera, compradores);\n",
    ),
    no_voo(
        BALCAO,
        "os pedidos de um lote não têm teto",
        "self.pedidos >= self.pedidos_por_lote",
        "self.pedidos > 8 * self.pedidos_por_lote",
    ),
    em(
        SESSAO,
        "na dúvida, dá-se o lote por perdido",
        "        if porque.em_duvida() {\n            return None;",
        "        if porque.em_duvida() {\n            \
         if let Fazendo::Pedindo(lote) = &self.fazendo { self.fazendo = Fazendo::Lendo(lote.clone()); }\n            \
         return None;",
    ),
    em(
        SESSAO,
        "um lote que já tinha valido lê-se como está agora",
        "Transacao { entao: vec![ler(Some(caixa.escrito_em))], ..Transacao::default() }",
        "Transacao { entao: vec![ler(None)], ..Transacao::default() }",
    ),
    em(
        SESSAO,
        "as compras do próprio lote não se descontam",
        "saturating_sub(balanco.pedidas() - compras);",
        "saturating_sub(balanco.pedidas());",
    ),
    em(
        SESSAO,
        "o mesmo nome em outro processo não se nota",
        "        if caixa.instancia != self.instancia {\n            return Err(Erro::Tomado(self.nome.clone()));\n        }\n        if caixa ==",
        "        if caixa ==",
    ),
    em(
        SESSAO,
        "quem só lê não nota o mesmo nome",
        "            Some(caixa) if caixa.instancia != self.instancia => {\n                Err(",
        "            Some(caixa) if caixa.instancia == 0 => {\n                Err(",
    ),
    em(
        SESSAO,
        "as vendas do lote anterior não se escrevem",
        ".chain(pedidos().map(atender))\n                .chain(anotacao)",
        ".chain(pedidos().map(atender))\n                .chain(anotacao.filter(|_| false))",
    ),
    em(
        SESSAO,
        "o último lote de quem caiu não se escreve",
        "                self.por_anotar = lote.vendidas(&self.nome, &ler_balanco(resposta)?);\n",
        "                let _ = lote.vendidas(&self.nome, &ler_balanco(resposta)?);\n",
    ),
    em(
        SESSAO,
        "esgota quem não vende nada",
        "esgotou: antes > 0 && compras >= antes",
        "esgotou: compras >= antes",
    ),
    em(
        SESSAO,
        "quem vende a última não sabe",
        "esgotou: antes > 0 && compras >= antes",
        "esgotou: antes > 0 && compras > antes",
    ),
    em(
        SESSAO,
        "quem abre recomeça a conta do caixa",
        "        self.meu = balanco.caixas.get(&self.nome).copied().unwrap_or_default();\n        self.balanco",
        "        self.meu = Caixa { escrito_em: balanco.caixas.get(&self.nome).map_or(0, |caixa| caixa.escrito_em), \
         ..Caixa::default() };\n        self.balanco",
    ),
    em(
        SESSAO,
        "sem nada à venda, não se lê outra vez",
        "!lote.compradores.is_empty() && self.balanco.a_venda() > 0",
        "!lote.compradores.is_empty() && self.balanco.a_venda() > 1",
    ),
    em(
        CHAVES,
        "vende-se uma unidade a mais por lote",
        "let quantas = usize::try_from(antes.min(pedidas))",
        "let quantas = usize::try_from((antes + 1).min(pedidas))",
    ),
    em(
        CHAVES,
        "a posição é a do último, e não a do primeiro",
        "            posicao: posicao + 1,",
        "            posicao: posicao + pedidas,",
    ),
    em(
        REPOSICAO,
        "repor dá unidades a quem já ouviu que esgotou",
        "let base = havia.max(balanco.pedidas());",
        "let base = havia;",
    ),
    em(
        REPOSICAO,
        "repor não confere se alguém comprou no meio",
        "se: vec![Condicao::NadaMudouDesde(BALANCO.into(), lido.revisao)],",
        "se: Vec::new(),",
    ),
    em(
        REPOSICAO,
        "duas reposições têm o mesmo número",
        "chave_da_entrada(entradas.len() as u64)",
        "chave_da_entrada(base)",
    ),
    no_voo(VOO, "quem está no lote não aguarda", "                conexao.aguardar(true);\n", ""),
    no_voo(
        VOO,
        "quem foi decidido continua a aguardar",
        "        self.soltar(&voo);\n        self.decidir",
        "        self.decidir",
    ),
    no_voo(
        VOO,
        "o que não depende do estoque passa à frente do que depende",
        "if conexao.aguarda() || pedido.comando.usa_o_estoque() {",
        "if pedido.comando.usa_o_estoque() {",
    ),
    no_voo(
        VOO,
        "de um lote de que se desistiu já não se espera resposta",
        "            self.em_voo = Some(voo);\n",
        "            self.em_voo = Some(voo).filter(|voo| !voo.lote.is_empty());\n",
    ),
    no_voo(
        VOO,
        "sem desfecho, diz-se que nada foi vendido",
        "                self.calar(registro, &pedido);",
        "                self.responder_sem_o_estoque(agora, registro, &pedido);",
    ),
    de_verdade(
        "de_uma_compra_sem_desfecho",
        VOO,
        "sem desfecho, o registro diz que nada foi vendido",
        "registro.sem_desfecho(posto.conexao.endereco(), comando, *vezes);",
        "registro.pedidos(posto.conexao.endereco(), comando, Seguidas::iguais(Resposta::ForaDeAlcance, *vezes));",
    ),
    de_verdade(
        "de_uma_compra_sem_desfecho",
        MEDIDO,
        "as métricas não sabem que o etcd deixou de responder",
        "*alcance == Alcance::Responde",
        "matches!(alcance, Alcance::Responde | Alcance::Cala)",
    ),
    no_voo(
        VOO,
        "quem compra também ouve, logo, que nada foi vendido",
        "voo.compras == 0 && passou(voo.desde, PACIENCIA)",
        "passou(voo.desde, PACIENCIA)",
    ),
    no_voo(
        VOO,
        "os compradores de quem desistiu vão no lote seguinte",
        "            self.compradores.clear();\n            self.pedidos",
        "            self.pedidos",
    ),
    no_voo(
        CONEXAO,
        "quem aguarda é lido",
        "            && self.saida.is_empty()\n            && !self.aguarda\n",
        "            && self.saida.is_empty()\n",
    ),
    no_voo(
        BALCAO,
        "propõe-se um lote com outro em voo",
        "        if self.em_voo.is_some() {\n            self.juntar(agora, registro);\n            return Ok(agora);\n        }\n",
        "",
    ),
];
